vcl 4.1;

backend away {
    .host = "127.0.0.1";
    .port = "1";
}

sub vcl_recv {
    if (req.url == "/") {
        return (synth(200, "served by other rules"));
    }
}

sub vcl_synth {
    set resp.body = resp.reason + {"
"};
    return (deliver);
}
