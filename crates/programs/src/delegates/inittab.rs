//! The first process where it is System V's or busybox's: `/etc/inittab` and the scripts of run levels.

use super::{Call, Reader, numbered};
use crate::pattern::ANY;
use crate::wrappers::Inner;
use confine_image::paths::base_name;

const TABLE: &str = "/etc/inittab";
/// What busybox's init does without a table (its source, init/init.c).
const WITHOUT_TABLE: &[&str] = &[
    "/etc/init.d/rcS",
    "/bin/sh /etc/profile",
    "umount -a -r",
    "reboot",
];
/// Folders of links to scripts, one a run level.
const RUN_LEVELS: &[&str] = &["S", "0", "1", "2", "3", "4", "5", "6"];

/// init: what its table has started, whatever the run level.
pub fn init(call: &Call<'_>, reader: &mut Reader<'_>) {
    if base_name(call.path) == "systemd" {
        return super::systemd::manager(call, reader);
    }
    let Some(text) = reader.text(TABLE) else {
        if base_name(call.path).starts_with("busybox") {
            reader.at_file(TABLE);
            WITHOUT_TABLE
                .iter()
                .for_each(|command| reader.shell_text(command));
        } else if reader.is_folder("/etc/s6-overlay") || reader.is_folder("/etc/services.d") {
            super::supervision::s6_overlay(reader);
        } else {
            reader.open(format!("its table {TABLE} is not in the image"));
        }
        return;
    };
    for (line, text) in numbered(&text) {
        let text = text.trim();
        let mut parts = text.splitn(4, ':');
        let (Some(_), Some(_), Some(action), Some(process)) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            continue;
        };
        if text.starts_with('#') || action == "initdefault" || action == "off" {
            continue;
        }
        reader.at(TABLE, line);
        reader.shell_text(process.trim_start_matches(['+', '-']));
    }
}

/// startpar: the scripts of all run levels, started and stopped.
pub fn run_levels(_: &Call<'_>, reader: &mut Reader<'_>) {
    for level in RUN_LEVELS {
        let folder = format!("/etc/rc{level}.d");
        if reader.is_folder(&folder) {
            reader.at_file(&folder);
            reader.add(Ok(Inner::Folder(folder, vec![ANY.to_string()])));
        }
    }
}
