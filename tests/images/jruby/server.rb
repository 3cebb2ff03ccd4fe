require 'socket'
require 'json'
require 'digest'
require 'tempfile'
require 'java'

PAGES = {
  '/' => -> { 'jruby' },
  '/json' => -> { JSON.generate(a: 1, b: [2, 3]) },
  '/digest' => -> { Digest::SHA256.hexdigest('x' * 100_000) },
  '/file' => -> { Tempfile.create('note') { |file| file.write('abc'); file.flush; file.size.to_s } },
  '/process' => -> { `echo from a process`.strip },
  '/name' => -> { java.net.InetAddress.getByName('localhost').getHostAddress },
  '/threads' => -> { 8.times.map { Thread.new { sleep 0.005 } }.each(&:join); 'joined' },
  '/stat' => -> { File.stat('/etc/passwd').file?.to_s },
  '/fail' => -> { raise 'on purpose' },
}.freeze

def answer(client)
  path = client.gets.to_s.split[1]
  nil until client.gets.to_s.strip.empty?
  status, body = '404 Not Found', 'none'
  if (page = PAGES[path])
    begin
      status, body = '200 OK', page.call
    rescue StandardError => e
      status, body = '500 Internal Server Error', e.message
    end
  end
  client.write("HTTP/1.0 #{status}\r\nContent-Length: #{body.bytesize + 1}\r\n\r\n#{body}\n")
ensure
  client.close
end

trap('HUP') { warn 'reloaded' }
server = TCPServer.new('0.0.0.0', 8080)
warn 'listening'
loop do
  client = server.accept
  Thread.new { answer(client) }
end
