//! Programs with an interpreter.

use std::fs;
use std::os::unix::fs::symlink;
use std::os::unix::process::CommandExt;
use std::process::Command;

use crate::support::*;

#[test]
fn a_program_sees_what_it_always_saw_and_is_confined() {
    for (mut place, original) in [(Place::glibc(), GLIBC), (Place::musl(), MUSL)] {
        for (name, flags) in [
            ("pie", &["-pie", "-fPIE"][..]),
            ("fixed", &["-no-pie"]),
            ("undigested", &["-Wl,--build-id=none"]),
        ] {
            let program = place.compile(name, flags);
            symlink(original, &place.interpreter).unwrap();
            let command = || {
                let mut command = Command::new(&program);
                command.arg0("other name").args(["one", "two"]);
                command
            };
            let plain = run(&mut command());
            assert_eq!(plain["getppid"], "allowed");
            place.confine(&program, GETPPID, 0);
            fs::remove_file(&place.interpreter).unwrap();
            place.graft();
            let confined = run(&mut command());
            let errno = std::io::Error::from_raw_os_error(77).to_string();
            let errno = errno.split(" (os").next().unwrap().to_owned();
            assert_differs_only(
                confined,
                &plain,
                &[("getppid", &errno), ("no_new_privs", "1"), ("thread", "6077")],
            );
            fs::remove_file(&place.interpreter).unwrap();
        }
    }
}
