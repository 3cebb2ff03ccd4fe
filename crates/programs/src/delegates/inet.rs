//! Super-servers: a line or a block for each service (inetd.conf(5), xinetd.conf(5)).

use super::words::{self, fields};
use super::{Call, Reader, from_workdir, numbered, option, with_included};
use crate::pattern::is_open;
use confine_image::paths::base_name;

/// inetd: the servers of its configuration.
pub fn inetd(call: &Call<'_>, reader: &mut Reader<'_>) {
    let named = call
        .arguments
        .iter()
        .rev()
        .find(|argument| !argument.starts_with('-'));
    let mut files = match named {
        Some(path) if is_open(path) || reader.is_file(&from_workdir(call, path)) => {
            vec![from_workdir(call, path)]
        }
        _ => vec!["/etc/inetd.conf".to_owned()],
    };
    files.extend(reader.list("/etc/inetd.d"));
    for path in files {
        let Some(text) = reader.text(&path) else { continue };
        for (line, text) in numbered(&text) {
            if text.trim_start().starts_with('#') {
                continue;
            }
            let Some((fields, arguments)) = fields(text, 6) else {
                continue;
            };
            let Some(server) = fields.last().filter(|server| **server != "internal") else {
                continue;
            };
            let arguments = words::split(arguments);
            reader.at(&path, line);
            let mut argv = vec![(*server).to_owned()];
            argv.extend(arguments.iter().skip(1).cloned());
            reader.command(argv);
            // The wrapper of TCP services is told the server as its own name.
            if base_name(server) == "tcpd" {
                reader.command(arguments);
            }
        }
    }
}

/// xinetd: the servers of its configuration and of the folders that it includes.
pub fn xinetd(call: &Call<'_>, reader: &mut Reader<'_>) {
    let main = option(call.arguments, "-f", "").unwrap_or("/etc/xinetd.conf");
    with_included(from_workdir(call, main), reader, services);
}

/// The servers of a file; the files that it includes.
fn services(path: &str, text: &str, reader: &mut Reader<'_>) -> Vec<String> {
    let mut included = Vec::new();
    let mut server: Option<(usize, String)> = None;
    let (mut arguments, mut disabled) = (Vec::new(), false);
    for (line, text) in numbered(text) {
        let text = text.trim();
        if let Some(folder) = text.strip_prefix("includedir ") {
            included.extend(reader.list(folder.trim()));
        } else if let Some(file) = text.strip_prefix("include ") {
            included.push(file.trim().to_owned());
        } else if text == "}" {
            if let Some((line, server)) = server.take().filter(|_| !disabled) {
                reader.at(path, line);
                reader.command([vec![server], std::mem::take(&mut arguments)].concat());
            }
            arguments.clear();
            disabled = false;
        } else if let Some((name, value)) = text.split_once('=').filter(|_| !text.starts_with('#')) {
            match name.trim_end_matches(['+', '-']).trim() {
                "server" => server = Some((line, value.trim().to_owned())),
                "server_args" => arguments = words::split(value),
                "disable" => disabled = value.trim() == "yes",
                _ => {}
            }
        }
    }
    included
}
