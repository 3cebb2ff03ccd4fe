//! Solves programs of a root folder and prints their calls.
#![allow(clippy::print_stdout, clippy::unwrap_used, missing_docs)]
use rayon::prelude::*;
use std::{sync::Arc, time::Instant};
fn main() {
    let mut arguments = std::env::args().skip(1);
    let root = arguments.next().unwrap();
    let image = confine_image::open(&root, &Default::default()).unwrap();
    let why: Option<String> = std::env::var("WHY").ok();
    for path in arguments {
        let t0 = Instant::now();
        let store = confine_link::ObjectStore::default();
        let linked = confine_link::link(&*image.files, &store, &path, &Default::default());
        let t1 = Instant::now();
        let facts: Vec<_> = linked
            .objects
            .par_iter()
            .map(|o| Arc::new(confine_code::Facts::of(&o.elf)))
            .collect();
        let t2 = Instant::now();
        let interfaces: Vec<_> = [
            ("dlopen", 0),
            ("dlmopen", 1),
            ("execve", 0),
            ("execv", 0),
            ("execvp", 0),
            ("execl", 0),
            ("posix_spawn", 1),
            ("posix_spawnp", 1),
            ("popen", 0),
            ("system", 0),
        ]
        .iter()
        .map(|(n, a)| confine_solve::Interface {
            name: n.to_string(),
            argument: *a,
        })
        .collect();
        let late: Vec<_> = ["__libc_early_init"]
            .iter()
            .filter_map(|n| linked.lookup_index(n, None, confine_link::Scope::Global))
            .map(|(object, symbol)| confine_solve::LateRoot {
                object,
                symbol,
                reason: "ld.so".into(),
            })
            .collect();
        let s = confine_solve::solve(&confine_solve::Input {
            linked: &linked,
            facts: &facts,
            late_roots: &late,
            address_taken: Default::default(),
            interfaces: &interfaces,
        });
        let t3 = Instant::now();
        println!(
            "{path}: {} calls open {} {:?} link {:?} facts {:?} solve {:?}",
            s.calls.len(),
            s.open,
            s.statistics,
            t1 - t0,
            t2 - t1,
            t3 - t2
        );
        for o in &linked.objects {
            println!("   {} {:?}", o.path, o.reason);
        }
        for a in linked.assumptions.iter().chain(&s.assumptions) {
            println!("  {a:?}");
        }
        for p in &s.passed {
            println!("  {p:?}");
        }
        println!(
            "  {}",
            s.calls
                .keys()
                .map(|n| confine_kernel::name(*n).unwrap_or("?"))
                .collect::<Vec<_>>()
                .join(" ")
        );
        if let Some(why) = &why {
            for name in why.split(',') {
                let Some(e) = s.calls.get(&confine_kernel::call_named(name).unwrap().number) else {
                    continue;
                };
                println!(" {name}: {} sites", e.sites);
                for step in &e.chain {
                    println!(
                        "    {}:{} {:#x} {}",
                        linked.objects[step.object].path, step.function, step.address, step.how
                    );
                }
            }
        }
    }
}
