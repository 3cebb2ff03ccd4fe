//! What the kernel tells of a process, until its parent has heard of its end.

use std::path::Path;

/// A place in a file that a process has mapped.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Mapped {
    /// The file, as its path in the container.
    pub file: String,
    /// The offset in the file, in bytes.
    pub offset: u64,
}

/// How many processes a process may come from, one from the other.
const MOST_ANCESTORS: usize = 4096;

/// Where a process comes from.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Origin {
    /// The control groups that it is in, as the kernel lists them.
    pub control_groups: String,
    /// The processes that it comes from, its parent first, by their numbers outside of containers.
    pub ancestors: Vec<u32>,
}

/// Where a process comes from; `None` if it is gone, or one that it comes from.
pub(crate) fn origin(process: u32) -> Option<Origin> {
    let control_groups = std::fs::read_to_string(format!("/proc/{process}/cgroup")).ok()?;
    let mut ancestors = Vec::new();
    let mut last = process;
    // Bounded: numbers that come again could lead in a circle.
    while ancestors.len() < MOST_ANCESTORS {
        match parent(last)? {
            0 => {
                return Some(Origin {
                    control_groups,
                    ancestors,
                });
            }
            found => {
                ancestors.push(found);
                last = found;
            }
        }
    }
    None
}

/// The process that a process is a child of; 0 where there is none.
fn parent(process: u32) -> Option<u32> {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("PPid:"))?;
    line.trim().parse().ok()
}

/// The place in a file that a process has mapped at an address.
pub(crate) fn mapped(process: u32, address: u64) -> Option<Mapped> {
    let maps = std::fs::read_to_string(Path::new("/proc").join(process.to_string()).join("maps")).ok()?;
    maps.lines().find_map(|line| mapped_by(line, address))
}

/// `START-END PERMISSIONS OFFSET DEVICE INODE PATH`, if the address lies there and it is a file's.
fn mapped_by(line: &str, address: u64) -> Option<Mapped> {
    let mut words = line.split_ascii_whitespace();
    let (start, end) = words.next()?.split_once('-')?;
    let number = |text: &str| u64::from_str_radix(text, 16).ok();
    let (start, end) = (number(start)?, number(end)?);
    let offset = number(words.nth(1)?)?;
    let file = line.get(line.find('/')?..)?;
    (start..end).contains(&address).then(|| Mapped {
        file: file.to_owned(),
        offset: address - start + offset,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_comes_from_whoever_started_it() {
        let mut child = std::process::Command::new("sleep").arg("9").spawn().unwrap();
        let origin = origin(child.id());
        child.kill().unwrap();
        child.wait().unwrap();
        let ancestors = origin.unwrap().ancestors;
        assert_eq!(ancestors.first(), Some(&std::process::id()));
    }

    #[test]
    fn an_address_is_found_in_its_file() {
        let line = "7f00a000-7f00c000 r-xp 00026000 fe:00 1234   /usr/lib/a library.so";
        let expected = Mapped {
            file: "/usr/lib/a library.so".to_owned(),
            offset: 0x27_010,
        };
        assert_eq!(mapped_by(line, 0x7f00_b010), Some(expected));
        assert_eq!(mapped_by(line, 0x7f00_c000), None);
        assert_eq!(
            mapped_by("7f00a000-7f00c000 r-xp 00000000 00:00 0    [vdso]", 0x7f00_a000),
            None
        );
        assert_eq!(mapped_by("nonsense", 1), None);
    }

    #[test]
    fn this_process_can_be_looked_at() {
        let own = std::process::id();
        assert!(origin(own).unwrap().control_groups.contains("::"));
        let function = this_process_can_be_looked_at as fn() as usize as u64;
        let expected = std::env::current_exe().unwrap();
        assert_eq!(Path::new(&mapped(own, function).unwrap().file), expected);
        assert_eq!(origin(u32::MAX), None);
    }
}
