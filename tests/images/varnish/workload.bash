traffic() {
    curl --silent "http://$HOST:$PORT/"
    http_status "http://$HOST:$PORT/moved"
    curl --silent "http://$HOST:$PORT/file"
    http_load "http://$HOST:$PORT/"
    inside varnishadm ping | grep -c PONG
    inside varnishstat -1 -f MAIN.uptime | grep -c uptime
}

failure() {
    http_status "http://$HOST:$PORT/not-there"
    exit_code_of inside varnishadm vcl.load broken /not/there
    exit_code_of inside varnishadm vcl.inline wrong 'vcl 4.1; nonsense'
}

reload() {
    inside varnishadm vcl.load other /etc/varnish/other.vcl && echo loaded
    inside varnishadm vcl.use other && echo used
    inside varnishadm vcl.list | grep -c 'active.* other'
    curl --silent "http://$HOST:$PORT/"
    http_status "http://$HOST:$PORT/away"
    inside varnishadm vcl.use boot && echo used
    inside varnishadm vcl.discard other
}
