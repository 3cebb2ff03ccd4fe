using Sockets, SHA, Dates, LinearAlgebra, Serialization

pages = Dict(
    "/" => () -> "julia",
    "/digest" => () -> bytes2hex(sha256("x"^100000)),
    "/solve" => () -> string(round(sum([2.0 1.0; 1.0 3.0] \ [3.0, 5.0]), digits = 6)),
    "/file" => () -> mktemp() do path, io
        serialize(io, [1, 2, 3]); flush(io)
        string(deserialize(path))
    end,
    "/process" => () -> read(`echo from a process`, String) |> strip,
    "/name" => () -> string(getaddrinfo("localhost")),
    "/tasks" => () -> (tasks = [@async sleep(0.005) for _ in 1:8]; foreach(wait, tasks); "joined"),
    "/collect" => () -> (GC.gc(); "collected"),
    "/fail" => () -> error("on purpose"),
)

function answer(client)
    path = split(readline(client))[2]
    while !isempty(strip(readline(client))) end
    status, body = "404 Not Found", "none"
    if haskey(pages, path)
        try
            status, body = "200 OK", pages[path]()
        catch failure
            status, body = "500 Internal Server Error", "failed"
        end
    end
    write(client, "HTTP/1.0 $status\r\nContent-Length: $(sizeof(body) + 1)\r\n\r\n$body\n")
    close(client)
end

server = listen(ip"0.0.0.0", 8080)
println("listening")
while true
    client = accept(server)
    @async try answer(client) catch; close(client) end
end
