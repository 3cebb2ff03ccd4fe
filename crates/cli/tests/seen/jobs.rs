//! Which programs run, and what they are made to do.

/// Programs with jobs beside `--version` and `--help`; those that the machine does not have are left out.
pub const PROGRAMS: &[(&str, &[&str])] = &[
    (
        "/usr/bin/ls",
        &["ls -laR . /etc/ssl", "ls --color=always /nonexistent"],
    ),
    ("/usr/bin/cat", &["cat a.txt b.txt", "cat -n /nonexistent"]),
    (
        "/usr/bin/cp",
        &["cp -a a.txt copied", "cp -r --reflink=auto folder copied-folder"],
    ),
    (
        "/usr/bin/mv",
        &[
            "mv moved moved-on",
            "mv moved-on /dev/shm/confine-seen",
            "mv /dev/shm/confine-seen moved",
        ],
    ),
    ("/usr/bin/rm", &["rm -rf removed nonexistent"]),
    ("/usr/bin/ln", &["ln -sf a.txt linked"]),
    ("/usr/bin/mkdir", &["mkdir -p made/by/mkdir"]),
    ("/usr/bin/touch", &["touch -d yesterday touched"]),
    ("/usr/bin/chmod", &["chmod -R u+x folder"]),
    ("/usr/bin/chown", &["chown -R root:root folder"]),
    (
        "/usr/bin/dd",
        &["dd if=/dev/zero of=zeroes bs=4096 count=3 conv=fsync"],
    ),
    ("/usr/bin/df", &["df -h ."]),
    ("/usr/bin/du", &["du -sh folder"]),
    ("/usr/bin/stat", &["stat -f .", "stat a.txt"]),
    (
        "/usr/bin/sort",
        &[
            "sort -R a.txt",
            "sort --parallel=2 -u -o sorted a.txt b.txt",
            "sort -S 1k -n a.txt",
        ],
    ),
    ("/usr/bin/uniq", &["uniq -c a.txt"]),
    ("/usr/bin/head", &["head -n 1 a.txt"]),
    ("/usr/bin/tail", &["tail -n 1 a.txt", "timeout 0.3 tail -f a.txt"]),
    ("/usr/bin/wc", &["wc a.txt"]),
    ("/usr/bin/tr", &["tr a b"]),
    ("/usr/bin/cut", &["cut -c1 a.txt"]),
    ("/usr/bin/tee", &["tee teed"]),
    (
        "/usr/bin/date",
        &["date -d tomorrow +%c", "env TZ=Europe/Berlin date"],
    ),
    ("/usr/bin/id", &["id", "id daemon"]),
    ("/usr/bin/who", &["who"]),
    ("/usr/bin/sleep", &["sleep 0.01"]),
    ("/usr/bin/timeout", &["timeout 5 true", "timeout 0.05 sleep 1"]),
    (
        "/usr/bin/env",
        &["env NAME=value true", "env nonexistent-command"],
    ),
    ("/usr/bin/nohup", &["nohup true"]),
    ("/usr/bin/nice", &["nice -n 1 true"]),
    ("/usr/bin/sha256sum", &["sha256sum a.txt"]),
    ("/usr/bin/split", &["split -n 2 --filter=cat a.txt"]),
    ("/usr/bin/shuf", &["shuf a.txt"]),
    ("/usr/bin/mktemp", &["mktemp -p ."]),
    ("/usr/bin/install", &["install -m 755 a.txt installed"]),
    (
        "/usr/bin/find",
        &[
            "find . -name '*.txt' -newer b.txt -exec true {} ;",
            "find folder -type f -delete -o -print0",
        ],
    ),
    ("/usr/bin/xargs", &["xargs -P 2 -n 1 true"]),
    ("/usr/bin/grep", &["grep -rn line .", "grep -P '\\d+' a.txt"]),
    (
        "/usr/bin/sed",
        &["sed -n s/line/x/p a.txt", "sed -i.old s/line/x/ edited"],
    ),
    (
        "/usr/bin/mawk",
        &["mawk '{ print $1 | \"cat\" } END { system(\"true\") }' a.txt"],
    ),
    (
        "/usr/bin/gawk",
        &["gawk '{ print toupper($1) | \"sort\" }' a.txt"],
    ),
    ("/usr/bin/diff", &["diff -ru folder other", "diff a.txt b.txt"]),
    ("/usr/bin/cmp", &["cmp a.txt b.txt"]),
    (
        "/usr/bin/tar",
        &[
            "tar czf archive.tar.gz folder",
            "tar xf kept.tar -C made-by-tar",
            "tar --xattrs -cf - folder",
        ],
    ),
    ("/usr/bin/gzip", &["gzip -kf a.txt", "gzip -dc kept.gz"]),
    ("/usr/bin/bzip2", &["bzip2 -kf a.txt"]),
    ("/usr/bin/xz", &["xz -T2 -kf a.txt"]),
    ("/usr/bin/zstd", &["zstd -T2 -qf a.txt"]),
    (
        "/usr/bin/git",
        &[
            "git init -q repository",
            "git -C repository add a.txt",
            "git -C repository -c user.name=n -c user.email=e@example.org commit -q --allow-empty -m first",
            "git -C repository --no-pager log --stat",
            "git clone -q repository cloned",
            "git -C repository gc -q",
            "git ls-remote https://localhost:1/",
        ],
    ),
    (
        "/usr/bin/perl",
        &[
            "perl -MPOSIX -MSocket -MFile::Temp -e 'socket(my $s, AF_INET, SOCK_STREAM, 0); print strftime(\"%c\", localtime), `echo x`; my $t = File::Temp->new; wait if fork; kill 0, $$; sleep 0; select undef, undef, undef, 0.01'",
            "perl -MTime::HiRes -MIO::Select -MSys::Hostname -e 'print hostname, Time::HiRes::time; Time::HiRes::usleep(10)'",
        ],
    ),
    (
        "/usr/bin/python3",
        &[
            "python3 -c 'import ssl, json, socket, hashlib, ctypes, zlib, decimal, uuid; print(ssl.OPENSSL_VERSION, uuid.uuid4())'",
            "python3 -c 'import subprocess, threading, tempfile, os; subprocess.run([\"true\"]); t = threading.Thread(target=os.getpid); t.start(); t.join(); tempfile.TemporaryFile().write(b\"x\"); os.listdir(\".\")'",
            "python3 -c 'import asyncio, sqlite3; asyncio.run(asyncio.sleep(0.01)); sqlite3.connect(\"made.db\").execute(\"create table if not exists t(a)\")'",
            "python3 -c 'import multiprocessing as m; p = m.Process(target=print, args=(1,)); p.start(); p.join()'",
            "python3 -c 'import shutil, pathlib, signal, select, mmap, time; shutil.copy(\"a.txt\", \"shutil-copied\"); signal.setitimer(signal.ITIMER_REAL, 0); mmap.mmap(-1, 4096); time.sleep(0.01)'",
            "python3 -c 'import urllib.request as u; u.urlopen(\"http://localhost:1/\")'",
        ],
    ),
    (
        "/usr/bin/curl",
        &[
            "curl -s file:///etc/hostname",
            "curl -s https://localhost:1/",
            "curl -s --parallel http://localhost:1/ http://127.0.0.1:1/",
        ],
    ),
    (
        "/usr/bin/openssl",
        &[
            "openssl rand -hex 8",
            "openssl dgst -sha256 a.txt",
            "openssl genrsa -out key 1024",
            "openssl s_client -connect localhost:1",
            "openssl speed -seconds 1 -bytes 16 -evp aes-128-cbc",
        ],
    ),
    (
        "/usr/bin/ssh",
        &["ssh -G localhost", "ssh -o BatchMode=yes -p 1 localhost"],
    ),
    (
        "/usr/bin/ssh-keygen",
        &["ssh-keygen -q -t ed25519 -N '' -f made-key"],
    ),
    (
        "/usr/bin/gpg",
        &[
            "gpg --homedir . --batch --list-keys",
            "gpg --homedir . --batch --print-md sha256 a.txt",
        ],
    ),
    (
        "/usr/bin/bash",
        &[
            "bash -c 'for i in 1 2; do echo $i | cat; done; read -t 0.01 x; kill -0 $$; (exit 3) & wait; echo <(true) $(< a.txt) > made-by-bash; ulimit -n; umask; trap \"echo x\" EXIT; cd /; test -w /etc'",
        ],
    ),
    (
        "/usr/bin/dash",
        &[
            "dash -c 'echo a | cat; cat < a.txt; trap true TERM; (exit 3) & wait; umask; ulimit -n; times; cd /; test -r /etc'",
        ],
    ),
    ("/usr/bin/jq", &["jq . data.json", "jq -n now"]),
    (
        "/usr/bin/sqlite3",
        &[
            "sqlite3 other.db 'create table if not exists t(a); insert into t values (1); select * from t; pragma journal_mode=wal; vacuum'",
        ],
    ),
    ("/usr/bin/less", &["less a.txt"]),
    ("/usr/bin/make", &["make -j2 -f Makefile", "make -n -f Makefile"]),
    ("/usr/bin/file", &["file a.txt data.json /usr/bin/file"]),
    ("/usr/bin/patch", &["patch --dry-run a.txt a.patch"]),
    ("/usr/bin/bc", &["bc -q sums.bc"]),
    ("/usr/bin/gcc", &["gcc -O1 -o compiled program.c"]),
    ("/usr/bin/as", &["as -o assembled.o program.s"]),
    ("/usr/bin/ld", &["ld -r -o linked.o kept.o"]),
    ("/usr/bin/readelf", &["readelf -a /usr/bin/true"]),
    ("/usr/bin/objdump", &["objdump -d /usr/bin/true"]),
    ("/usr/bin/strip", &["strip -o stripped /usr/bin/file"]),
    (
        "/usr/bin/vim.basic",
        &["vim.basic -es -c 'put =42' -c wq written-by-vim"],
    ),
    ("/usr/bin/ps", &["ps aux"]),
    (
        "/usr/bin/getent",
        &["getent passwd daemon", "getent hosts localhost"],
    ),
    ("/usr/bin/locale", &["locale -a"]),
    ("/usr/bin/iconv", &["iconv -f latin1 -t utf16 a.txt"]),
    ("/usr/bin/dpkg-query", &["dpkg-query -l bash"]),
    ("/usr/bin/apt-cache", &["apt-cache policy bash"]),
];
