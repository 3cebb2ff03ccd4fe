CREATE EXTENSION plperl;
CREATE EXTENSION plperlu;
CREATE EXTENSION plpython3u;
CREATE EXTENSION pltcl;
CREATE EXTENSION hstore;
CREATE EXTENSION postgres_fdw;
CREATE EXTENSION xml2;
CREATE EXTENSION pg_stat_statements;
CREATE FUNCTION add_in_perl(integer, integer) RETURNS integer LANGUAGE plperl AS 'return $_[0] + $_[1];';
CREATE FUNCTION digest_in_perl(text) RETURNS text LANGUAGE plperlu AS 'use Digest::SHA; return Digest::SHA::sha256_hex($_[0]);';
CREATE FUNCTION root_in_python(double precision) RETURNS double precision LANGUAGE plpython3u AS $$
import math
return math.sqrt(args[0])
$$;
CREATE FUNCTION digest_in_python(text) RETURNS text LANGUAGE plpython3u AS $$
import hashlib, json
return json.loads(json.dumps(hashlib.sha256(args[0].encode()).hexdigest()))
$$;
CREATE FUNCTION double_in_tcl(integer) RETURNS integer LANGUAGE pltcl AS 'return [expr {$1 * 2}]';
