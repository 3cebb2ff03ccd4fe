# frozen_string_literal: true

require_relative 'shop'

use Rack::ContentLength
run Shop.new
