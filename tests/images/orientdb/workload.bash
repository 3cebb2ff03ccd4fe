# What the client answers, without the numbers of its prompts and without times.
sql() {
    printf "connect 'jdbc:derby://127.0.0.1:1527/shop;create=true';\n%s\nexit;\n" "$1" | inside_with_input client.sh 2>&1 |
        grep -vE '^(ij version|$)' || true
}

inside_with_input() { ${INSIDE/ exec / exec --interactive } "$@"; }

ready() { until_true bash -c "exec 3<>/dev/tcp/$HOST/$PORT && { read -r -t 0.3 -n 1 -u 3 || [ \$? -gt 128 ]; }"; }

traffic() {
    sql 'create table articles (name varchar(20), price int);
insert into articles values (1, 2);
insert into articles values (0, 3), (9, 4);
select sum(price) from articles;
create index by_price on articles (price);
select name from articles order by price;
call syscs_util.syscs_checkpoint_database();
drop table articles;'
}

failure() {
    sql 'select * from nothing;'
    echo 'no protocol' | timeout 5 bash -c "exec 3<>/dev/tcp/$HOST/$PORT; cat >&3; cat <&3" | wc -c
}

# A dump of its threads says another thing each time, so that only the database is asked.
reload() {
    sql "call syscs_util.syscs_set_database_property('derby.locks.waitTimeout', '7');
values 1;"
}
