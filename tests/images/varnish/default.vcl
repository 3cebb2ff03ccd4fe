vcl 4.1;

import std;
import directors;

backend none none;

sub vcl_recv {
    if (req.url == "/moved") {
        return (synth(302, "moved"));
    }
    if (req.url == "/file") {
        return (synth(200, std.fileread("/etc/varnish/said")));
    }
    if (req.url == "/") {
        return (synth(200, "served by varnish"));
    }
    return (synth(404, "not there"));
}

sub vcl_synth {
    set resp.body = resp.reason + {"
"};
    return (deliver);
}
