# Events come in as lines on a port, are parsed by patterns as a log shipper does, and go out as lines of JSON, to a file
# and to whoever sent them.
require 'socket'
require 'json'
require 'zlib'

PATTERN = /\A(?<client>\S+) \S+ \S+ \[(?<time>[^\]]+)\] "(?<verb>\S+) (?<path>\S+) [^"]*" (?<status>\d+) (?<bytes>\d+)/
OUTPUT = '/tmp/events.json'

counts = Hash.new(0)
lock = Mutex.new
queue = SizedQueue.new(1000)

writer = Thread.new do
  File.open(OUTPUT, 'a') do |file|
    while (event = queue.pop)
      file.puts(JSON.generate(event))
      file.fsync if queue.empty?
    end
  end
end

def parse(line)
  return { 'tags' => ['unparsed'], 'message' => line } unless (match = PATTERN.match(line))
  event = match.named_captures
  event['status'] = Integer(event['status'])
  event['bytes'] = Integer(event['bytes'])
  event
end

trap('HUP') { warn 'pipeline reloaded' }
server = TCPServer.new('0.0.0.0', 5044)
warn 'pipeline started'
loop do
  client = server.accept
  Thread.new do
    begin
      while (line = client.gets)
        line = line.strip
        case line
        when 'STATS' then client.puts(lock.synchronize { JSON.generate(counts.sort.to_h) })
        when 'ROTATE'
          Zlib::GzipWriter.open("#{OUTPUT}.gz") { |gz| gz.write(File.read(OUTPUT)) }
          client.puts((File.size("#{OUTPUT}.gz") > 0).to_s)
        else
          event = parse(line)
          lock.synchronize { counts[event.fetch('status', 'unparsed').to_s] += 1 }
          queue << event
          client.puts(JSON.generate(event))
        end
      end
    ensure
      client.close
    end
  end
end
