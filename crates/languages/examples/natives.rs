//! Development: what runs.
#![allow(clippy::all, missing_docs, clippy::print_stdout, clippy::unwrap_used)]
use std::collections::BTreeMap;
fn main() {
    let root = std::env::args().nth(1).unwrap();
    let java = std::env::args().nth(2).unwrap();
    let arguments: Vec<String> = std::env::args().skip(3).collect();
    let image = confine_image::open(&format!("dir:{root}"), &Default::default()).unwrap();
    let variables: BTreeMap<String, String> = BTreeMap::new();
    let files: &dyn confine_image::Files = &*image.files;
    let workdir = std::env::var("WORKDIR").unwrap_or("/".into());
    let start = confine_languages::Start { files, named: &java, path: &java, arguments: &arguments, workdir: &workdir, variables: &variables, input: None, place: "Cmd" };
    let language = confine_languages::language("java").unwrap();
    let t = std::time::Instant::now();
    let reached = language.follow(&start);
    eprintln!("follow {:?}", t.elapsed());
    let t = std::time::Instant::now();
    let all = language.together(files, &reached);
    eprintln!("together {:?}", t.elapsed());
    for (name, module) in &all.modules { println!("module {name} {:?}", module.roots); }
    for (name, class) in &all.natives { println!("native {name} {class}"); }
    for (name, class) in &all.functions { println!("function {name} {class}"); }
    for a in &all.assumptions { println!("{a:?}"); }
}
