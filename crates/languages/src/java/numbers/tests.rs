//! Numbers that native methods are given, of classes that are put together.

use super::super::assembler::Class;
use super::super::natives::tests::search;

const OBJECT: &[&str] = &["java/lang/Object"];
const MAIN: &str = "([Ljava/lang/String;)V";

/// Only the class may name it, and there is no object.
const OWN: u16 = 10;

/// The ways in which `a/One.run0` is called, where the virtual machine has these classes and `main` calls `a/One.run`.
fn ways(classes: Vec<(&str, Class)>) -> Option<Vec<Vec<(usize, u32)>>> {
    let main = Class::new("app/Main", OBJECT).method("main", MAIN, &[("static", "a/One.run:()V")]);
    let reached = search(classes, vec![("/srv/Main.class", main.bytes())], &["app.Main"]);
    let native = reached.natives.get("Java_a_One_run0").expect("it runs");
    native.ways.as_ref().map(|ways| ways.iter().cloned().collect())
}

/// A class that calls its native method so.
fn calling(descriptor: &str, does: &[(&str, &str)]) -> Class {
    let native = format!("a/One.run0:{descriptor}");
    let does = [does, &[("static", &native), ("do", "b1")]].concat();
    Class::new("a/One", OBJECT)
        .method_with(9, "run", "()V", &does)
        .private_native("run0", descriptor)
}

#[test]
fn numbers_of_the_caller_are_counted_by_registers() {
    // bipush 7; aconst_null; dconst_0; sipush -2
    let one = calling("(ILjava/lang/Object;DI)V", &[("do", "10 07 01 0e 11 ff fe")]);
    assert_eq!(
        ways(vec![("a/One", one)]),
        Some(vec![vec![(2, 7), (4, 0xffff_fffe)]])
    );
}

#[test]
fn where_ways_meet_there_are_several_numbers() {
    // iconst_0; ifeq +7; iconst_1; goto +4; iconst_2
    let one = calling("(I)V", &[("do", "03 99 00 07 04 a7 00 04 05")]);
    assert_eq!(ways(vec![("a/One", one)]), Some(vec![vec![(2, 1)], vec![(2, 2)]]));
    // iconst_1; istore_0; iload_0; iinc 0 1; goto -4, with what is added up in a loop
    let one = calling("(I)V", &[("do", "04 3b 84 00 01 1a 99 ff fc 1a")]);
    assert_eq!(ways(vec![("a/One", one)]), None);
}

#[test]
fn callers_and_what_others_return_are_asked() {
    let native = ("static", "a/One.run0:(II)V");
    let one = || {
        Class::new("a/One", OBJECT)
            .method_with(
                9,
                "run",
                "()V",
                &[("do", "06"), ("static", "a/One.pass:(I)V"), ("do", "b1")],
            )
            .method_with(OWN, "five", "()I", &[("do", "08 ac")])
            .private_native("run0", "(II)V")
    };
    let pass = [("do", "1a"), ("static", "a/One.five:()I"), native, ("do", "b1")];
    let known = one().method_with(OWN, "pass", "(I)V", &pass);
    assert_eq!(ways(vec![("a/One", known)]), Some(vec![vec![(2, 3), (3, 5)]]));
    // Who else may call a method is not known where it is for others.
    let open = one().public().method_with(9, "pass", "(I)V", &pass);
    assert_eq!(ways(vec![("a/One", open)]), Some(vec![vec![(3, 5)]]));
}

/// The constructor of options, which keeps what it is given.
fn option() -> Class {
    let keep = [
        ("do", "2a"),
        ("special", "java/lang/Object.<init>:()V"),
        ("do", "2a 1b"),
        ("put", "a/Option.level:I"),
        ("do", "2a 1c"),
        ("put", "a/Option.name:I"),
        ("do", "b1"),
    ];
    let tell = |name| [("do", "2a"), ("get", name), ("do", "ac")];
    Class::new("a/Option", OBJECT)
        .field("level", "I")
        .field("name", "I")
        .method_with(0, "<init>", "(II)V", &keep)
        .method_with(0, "level", "()I", &tell("a/Option.level:I"))
        .method_with(0, "name", "()I", &tell("a/Option.name:I"))
}

/// Calls with what two options tell, put into a variable before.
fn with_options(tells: &[(&str, &str)]) -> Class {
    let make = |numbers| {
        [
            ("new", "a/Option"),
            ("do", "59"),
            ("do", numbers),
            ("special", "a/Option.<init>:(II)V"),
        ]
    };
    let found = [
        &make("04 05")[..],
        &[("do", "57")],
        &make("06 07"),
        &[("do", "b0")],
    ]
    .concat();
    let does = [&[("static", "a/One.find:()La/Option;"), ("do", "4b")], tells].concat();
    calling("(II)V", &does).method_with(OWN, "find", "()La/Option;", &found)
}

#[test]
fn what_is_told_of_one_object_belongs_together() {
    let together = [
        ("do", "2a"),
        ("virtual", "a/Option.level:()I"),
        ("do", "2a"),
        ("virtual", "a/Option.name:()I"),
    ];
    let pairs = Some(vec![vec![(2, 1), (3, 2)], vec![(2, 3), (3, 4)]]);
    assert_eq!(
        ways(vec![("a/One", with_options(&together)), ("a/Option", option())]),
        pairs
    );
    // Of two objects each tells its own.
    let apart = [
        ("do", "2a"),
        ("virtual", "a/Option.level:()I"),
        ("static", "a/One.find:()La/Option;"),
        ("virtual", "a/Option.name:()I"),
    ];
    let found = ways(vec![("a/One", with_options(&apart)), ("a/Option", option())]).unwrap();
    assert!(found.contains(&vec![(2, 1), (3, 4)]), "{found:?}");
}

#[test]
fn what_may_be_set_by_its_name_is_not_known() {
    let tells = [("do", "2a"), ("virtual", "a/Option.level:()I"), ("do", "03")];
    // A text of the class, as for a handle of the variable.
    let named = option().method_with(OWN, "named", "()V", &[("text", "level")]);
    let classes = vec![("a/One", with_options(&tells)), ("a/Option", named)];
    assert_eq!(ways(classes), Some(vec![vec![(3, 0)]]));
    // Classes of applications are not followed.
    let main = calling("(I)V", &[("do", "04")]).bytes();
    let reached = search(Vec::new(), vec![("/srv/a/One.class", main)], &["a.One"]);
    assert!(reached.natives.values().all(|native| native.ways.is_none()));
}

#[test]
fn what_others_may_set_or_make_is_not_known() {
    let tells = [("do", "2a"), ("virtual", "a/Option.level:()I"), ("do", "03")];
    let with = |option: Class| ways(vec![("a/One", with_options(&tells)), ("a/Option", option)]);
    assert_eq!(
        with(option()),
        Some(vec![vec![(2, 1), (3, 0)], vec![(2, 3), (3, 0)]])
    );
    // Another method sets it to what is not known.
    let set = [
        ("do", "2a"),
        ("static", "a/Other.any:()I"),
        ("put", "a/Option.level:I"),
        ("do", "b1"),
    ];
    let more = option().method_with(1, "set", "()V", &set);
    let calls = [&tells[..], &[("do", "2a"), ("virtual", "a/Option.set:()V")]].concat();
    let classes = vec![("a/One", with_options(&calls)), ("a/Option", more)];
    assert_eq!(ways(classes), Some(vec![vec![(3, 0)]]));
    // A class below may tell something else.
    let below = Class::new("a/Below", &["a/Option"]);
    let made = [&[("new", "a/Below"), ("do", "57")], &tells[..]].concat();
    let classes = vec![
        ("a/One", with_options(&made)),
        ("a/Option", option()),
        ("a/Below", below),
    ];
    assert_eq!(ways(classes), Some(vec![vec![(3, 0)]]));
}
