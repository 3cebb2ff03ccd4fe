import com.sun.net.httpserver.HttpServer
import groovy.json.JsonOutput
import java.security.MessageDigest
import java.util.concurrent.Executors

def pages = [
    '/': { 'groovy' },
    '/json': { JsonOutput.toJson([a: 1, b: [2, 3]]) },
    '/digest': { MessageDigest.getInstance('SHA-256').digest(('x' * 100000).bytes).encodeHex().toString() },
    '/file': {
        def file = File.createTempFile('note', null)
        file.text = 'abc'
        def size = file.length()
        file.delete()
        "$size"
    },
    '/process': { ['echo', 'from a process'].execute().text.trim() },
    '/name': { InetAddress.getByName('localhost').hostAddress },
    '/threads': { (1..8).collect { n -> Thread.start { Thread.sleep(5) } }*.join(); 'joined' },
    '/collect': { System.gc(); 'collected' },
    '/fail': { throw new IllegalStateException('on purpose') },
]

def server = HttpServer.create(new InetSocketAddress(8080), 0)
server.executor = Executors.newFixedThreadPool(8)
server.createContext('/') { exchange ->
    def page = pages[exchange.requestURI.path]
    def (status, body) = [404, 'none']
    if (page) {
        try { (status, body) = [200, page()] } catch (Exception error) { (status, body) = [500, error.message] }
    }
    def bytes = "$body\n".toString().bytes
    exchange.sendResponseHeaders(status, bytes.length)
    exchange.responseBody.withStream { it.write(bytes) }
}
server.start()
println 'listening'
