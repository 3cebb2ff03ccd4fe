use strict;
use warnings;
use DBI;
use Digest::SHA qw(sha256_hex);
use File::Temp qw(tempfile);
use JSON::XS;
use POSIX ();
use Socket;

my $file = '/tmp/notes.db';
my $database = sub { DBI->connect("dbi:SQLite:dbname=$file", '', '', { RaiseError => 1 }) };
$database->()->do('CREATE TABLE IF NOT EXISTS notes (text TEXT)');

my %pages = (
    '/' => sub { "perl\n" },
    '/digest' => sub { sha256_hex('x' x 100_000) . "\n" },
    '/json' => sub { JSON::XS->new->canonical->encode({ b => [1, 2], a => 'x' }) . "\n" },
    '/note' => sub {
        my $handle = $database->();
        $handle->do('INSERT INTO notes VALUES (?)', undef, 'note');
        my ($count) = $handle->selectrow_array('SELECT count(*) > 0 FROM notes');
        "$count\n";
    },
    '/fork' => sub {
        pipe(my $reader, my $writer) or die;
        my $child = fork // die;
        if (!$child) { close $reader; syswrite $writer, "child\n"; POSIX::_exit(0) }
        close $writer;
        my $line = <$reader>;
        waitpid $child, 0;
        $line;
    },
    '/file' => sub {
        my ($handle, $name) = tempfile(UNLINK => 1);
        print $handle 'abc';
        close $handle;
        my $size = -s $name;
        rename $name, "$name.new";
        unlink "$name.new";
        "$size\n";
    },
    '/name' => sub { inet_ntoa(scalar gethostbyname('localhost')) . "\n" },
    '/die' => sub { die "on purpose\n" },
);

sub {
    my $page = $pages{ $_[0]{PATH_INFO} } or return [404, [], ["none\n"]];
    my $body = eval { $page->() };
    defined $body ? [200, ['Content-Type' => 'text/plain'], [$body]] : [500, [], ["died: $@"]];
};
