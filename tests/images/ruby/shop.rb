# frozen_string_literal: true

# A small shop: a database by a native extension, a document, a digest by another program.
require 'json'
require 'openssl'
require 'socket'
require 'sqlite3'

class Shop
  def initialize
    @lock = Mutex.new
  end

  def call(environment)
    body = answer(environment['PATH_INFO'])
    body ? [200, { 'Content-Type' => 'text/plain' }, [body]] : [404, {}, []]
  end

  private

  def answer(path)
    case path
    when '/' then "served by ruby\n"
    when '/articles' then "#{JSON.generate(articles)}\n"
    when '/digest' then "#{digest}\n"
    when '/title' then "#{title}\n"
    when '/remote' then remote
    when '/broken' then raise 'meant to fail'
    end
  end

  def articles
    @lock.synchronize do
      @database ||= SQLite3::Database.new(':memory:').tap do |database|
        database.execute('CREATE TABLE articles (name TEXT, price INTEGER)')
        database.execute("INSERT INTO articles VALUES ('bolt', 1), ('gear', 20)")
      end
      @database.execute('SELECT name, price FROM articles ORDER BY price')
    end
  end

  def digest
    own = OpenSSL::Digest::SHA256.hexdigest(File.read(__FILE__))
    `sha256sum #{__FILE__}`.start_with?(own)
  end

  def title
    require 'nokogiri'
    Nokogiri::HTML('<title>shop</title>').at('title').text
  end

  def remote
    TCPSocket.new('127.0.0.1', 1)
  rescue Errno::ECONNREFUSED
    "no server\n"
  end
end
