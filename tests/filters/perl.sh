#!/bin/sh
# Perl reads and writes texts and talks to itself over a socket.
# $1: where strace writes.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cat >"$folder/program.pl" <<'END'
use strict;
use warnings;
use File::Find;
use IO::Socket::INET;
my ($folder) = @ARGV;
for my $number (1 .. 200) {
    open my $file, '>', "$folder/$number.txt" or die $!;
    print $file "line $_\n" for 1 .. $number;
    close $file;
}
my $lines = 0;
find(sub {
    return unless -f && /\.txt$/;
    open my $file, '<', $_ or die $!;
    $lines++ while <$file>;
    close $file;
}, $folder);
my $server = IO::Socket::INET->new(Listen => 5, LocalAddr => '127.0.0.1') or die $!;
if (!fork) {
    for (1 .. 200) {
        my $client = IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $server->sockport) or die $!;
        print $client "request $_\n";
        scalar <$client>;
    }
    exit;
}
for (1 .. 200) {
    my $client = $server->accept;
    print $client "answer to " . <$client>;
}
wait;
END
strace -f -qq -e raw=all -o "$1" perl "$folder/program.pl" "$folder"
