# Runs one of the source's test scripts for the program: what those want of the source's own interpreter is defined
# here, in terms of the installed program, and not loaded.
set script [lindex $argv 0]
set name [file tail $script]
set CLI /usr/bin/sqlite3

proc test_cli_invocation {} { return $::CLI }
proc test_find_cli {} { return $::CLI }
proc forcedelete {args} { foreach path $args { file delete -force $path } }
proc ifcapable {condition body args} {
    if {[string index $condition 0] ne "!"} { uplevel 1 $body }
}
proc do_test {test body expected} {
    set failed [catch { uplevel 1 $body } result]
    set same [expr {!$failed && ($result eq $expected
        || ([regexp {^/(.*)/$} $expected - pattern] && [regexp $pattern $result]))}]
    puts "[expr {$same ? {pass} : {fail}}] $test"
}
proc do_execsql_test {test sql {expected {}}} {
    do_test $test [list db eval $sql] [string trim $expected]
}
proc execsql {sql args} { return [db eval $sql] }
proc catchsql {sql args} { return [list [catch { db eval $sql } result] $result] }
proc finish_test {} { exit }

# A connection: each statement is a run of the program on its file.
proc sqlite3 {name {path :memory:} args} {
    proc ::$name {verb args} [string map [list PATH $path] {
        if {$verb eq "eval"} { return [split [exec $::CLI -list -separator "\n" PATH [lindex $args 0]] "\n"] }
    }]
}

proc run_program {flags text} {
    set file [open commands.txt w]
    puts $file $text
    close $file
    set failed [catch { eval exec $flags $::CLI $::arguments < commands.txt } output]
    return [list $failed $output]
}
proc catchcmd {arguments {text {}}} {
    set ::arguments $arguments
    return [run_program {} $text]
}
proc catchcmdex {arguments {text {}}} {
    set ::arguments $arguments
    return [run_program {-keepnewline --} $text]
}
proc catchsafecmd {arguments {text {}}} { return [catchcmd "-safe $arguments" $text] }

sqlite3 db test.db
# The script finds its helpers beside itself; they are these.
set argv0 [file join [pwd] helpers $name]
file mkdir helpers
close [open helpers/tester.tcl w]
cd [file dirname [file join [pwd] $name]]
source $script
