package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"golang.org/x/sys/unix"

	"hooktape/internal/testutil"
	"hooktape/internal/testutil/enginetest"
)

// target has what a statement must not reach: files, a program and a port.
type target struct {
	t           *testing.T
	dir         string
	secret      string
	port        string
	watch       int
	connections atomic.Int64
}

func newTarget(t *testing.T) *target {
	p := &target{t: t, dir: t.TempDir(), secret: "canary" + rand.Text()}
	write := func(name, text string, mode os.FileMode) {
		if err := os.WriteFile(filepath.Join(p.dir, name), []byte(text), mode); err != nil {
			t.Fatal(err)
		}
	}
	write("secret", p.secret+"\n", 0o644)
	write("secret.csv", p.secret+"\n", 0o644)
	write("template", "${0:Raw}"+p.secret, 0o644)
	write("schema.proto", "syntax = \"proto3\"; message "+p.secret+" { uint32 x = 1; }", 0o644)
	write("run.sh", "#!/bin/sh\necho ran >> "+filepath.Join(p.dir, "ran")+"\n", 0o755)
	tcp, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { tcp.Close() })
	_, p.port, _ = net.SplitHostPort(tcp.Addr().String())
	go func() {
		for {
			conn, err := tcp.Accept()
			if err != nil {
				return
			}
			p.connections.Add(1)
			conn.Close()
		}
	}()
	udp, err := net.ListenPacket("udp", "127.0.0.1:"+p.port)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { udp.Close() })
	go func() {
		for buffer := make([]byte, 1); ; {
			if _, _, err := udp.ReadFrom(buffer); err != nil {
				return
			}
			p.connections.Add(1)
		}
	}()
	if p.watch, err = unix.InotifyInit1(unix.IN_NONBLOCK | unix.IN_CLOEXEC); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Close(p.watch) })
	if _, err := unix.InotifyAddWatch(p.watch, p.dir, unix.IN_ALL_EVENTS&^unix.IN_CLOSE_NOWRITE); err != nil {
		t.Fatal(err)
	}
	return p
}

// untouched returns an error if a file, the program or the port was touched since the last call.
func (p *target) untouched() error {
	var buffer [4096]byte
	n, err := unix.Read(p.watch, buffer[:])
	switch {
	case err == nil:
		return fmt.Errorf("files were touched: %q", bytes.ReplaceAll(buffer[:n], []byte{0}, nil))
	case !errors.Is(err, unix.EAGAIN):
		return err
	case p.connections.Swap(0) > 0:
		return errors.New("a connection reached the port")
	}
	return nil
}

// attack is one request.
type attack struct {
	statement string
	method    string // POST unless it says GET
	params    url.Values
}

// someForms selects the forms in which attack number n runs: all with HOOKTAPE_TEST_WHOLE, otherwise a few, different
// ones for each n.
func someForms(n int, forms []string) []string {
	const few = 2
	if enginetest.Whole() {
		return forms
	}
	begin := n * few % len(forms)
	return slices.Concat(forms[begin:], forms[:begin])[:few]
}

// attacks returns all known ways to reach files, programs and other hosts, each in every form in which it can be
// written.
func (p *target) attacks() (all []attack) {
	secret, out := filepath.Join(p.dir, "secret"), filepath.Join(p.dir, "out")
	fill := strings.NewReplacer("$secret", secret, "$csv", secret+".csv", "$out", out, "$dir", p.dir, "$address",
		"127.0.0.1:"+p.port, "$port", p.port, "$run", filepath.Join(p.dir, "run.sh"))
	functions := []string{"file", "FILE", "`file`", `"file"`, `"\x66ile"`, "`fil\\x65`", "“file”", "/* ' */file",
		"file/**/", "file -- '\n",
		"/* /* */ ' */ file", "# '\n file", `"\146ile"`}
	for n, template := range []string{
		"SELECT $f('$secret')", "SELECT length($f('$secret'))", "SELECT * APPLY($f) FROM (SELECT '$secret')",
		"SELECT * APPLY $f FROM (SELECT '$secret')", "SELECT * APPLY(x -> $f(x)) FROM (SELECT '$secret')",
		"SELECT arrayMap(x -> $f(x), ['$secret'])", "SELECT throwIf(1, $f('$secret'))",
		"WITH '$secret' AS x SELECT $f(x)", "SELECT 1 WHERE $f('$secret') != ''", "SELECT (SELECT $f('$secret'))",
		"SELECT * FROM $f('$csv', LineAsString)", "SELECT * FROM $f('$csv')", "DESCRIBE TABLE $f('$csv')",
		"EXPLAIN SELECT $f('$secret')", "EXPLAIN SYNTAX SELECT $f('$secret')",
		"EXPLAIN PIPELINE SELECT * FROM $f('$csv', LineAsString)", "INSERT INTO hooktape.s VALUES ($f('$secret'))",
		"INSERT INTO hooktape.s SELECT $f('$secret')", "INSERT INTO hooktape.s VALUES ('a'), (concat($f('$secret')))",
		"INSERT INTO FUNCTION $f('$out', LineAsString, 's String') SELECT 'x'",
		"INSERT INTO hooktape.s (s) FORMAT Values ($f('$secret'))",
		"INSERT INTO hooktape.s VALUES ('\x00'), ($f('$secret'))",
		"INSERT INTO hooktape.s SETTINGS input_format_values_interpret_expressions = 1 VALUES ('\x00'), ($f('$secret'))", "INSERT INTO hooktape.s SETTINGS input_format_values_deduce_templates_of_expressions = 1 VALUES ('\x00'), (concat('a', $f('$secret')))", "CREATE VIEW hooktape.v$n AS SELECT $f('$secret') AS s", "CREATE TABLE hooktape.t$n (s String DEFAULT $f('$secret')) ENGINE = Memory", "CREATE TABLE hooktape.c$n ENGINE = Memory AS SELECT $f('$secret') AS s", "CREATE TABLE hooktape.a$n AS $f('$csv', LineAsString)", "CREATE MATERIALIZED VIEW hooktape.m$n ENGINE = Memory AS SELECT $f('$secret') AS x, s FROM hooktape.s",
		"ALTER TABLE hooktape.k UPDATE s = $f('$secret') WHERE 1 SETTINGS mutations_sync = 2",
		"ALTER TABLE hooktape.k ADD COLUMN c$n String DEFAULT $f('$secret')",
		"DELETE FROM hooktape.k WHERE $f('$secret') = ''", "SELECT formatRow('CSV', $f('$secret'))",
		"SELECT $f({x:String})",
	} {
		for _, function := range someForms(n, functions) {
			statement := strings.ReplaceAll(template, "$f", function)
			statement = strings.ReplaceAll(statement, "$n", fmt.Sprint(len(all)))
			all = append(all, attack{statement: fill.Replace(statement), params: url.Values{"param_x": {secret}}})
		}
	}
	comments := []string{"$", "/* /* */ ' */ $", "-- '\n$", "($", "$ -- '", "$\n;", "SELECT 1; $",
		"$ /* SETTINGS readonly = 0 */", "#! '\n$", "\ufeff$", "\u00a0$", "$\x00", "EXPLAIN $", "WITH 1 AS x $",
		"PARALLEL WITH $", "SELECT 1 AS a PARALLEL WITH $", "SET max_threads = 1; $"}
	for n, statement := range []string{
		"SELECT 1 INTO OUTFILE '$out'", "SELECT 1 INTO OUTFILE '$out' TRUNCATE",
		"SELECT '$secret' INTO /* ' */ OUTFILE '$out' FORMAT CSV", "SELECT 1 into outfile '$out' append",
		"INSERT INTO hooktape.s FROM INFILE '$secret' FORMAT LineAsString",
		"INSERT INTO hooktape.s FROM /**/ INFILE '$secret' COMPRESSION 'none' FORMAT CSV",
		"CREATE DICTIONARY hooktape.d$n (s String) PRIMARY KEY s SOURCE(EXECUTABLE(COMMAND '$run' FORMAT CSV)) " +
			"LAYOUT(COMPLEX_KEY_HASHED()) LIFETIME(0)",
		"CREATE DICTIONARY hooktape.d$n (s String) PRIMARY KEY s SOURCE(FILE(PATH '$csv' FORMAT CSV)) " +
			"LAYOUT(COMPLEX_KEY_HASHED()) LIFETIME(0)",
		"CREATE DICTIONARY hooktape.d$n (s String) PRIMARY KEY s SOURCE(HTTP(URL 'http://$address/' FORMAT CSV)) " +
			"LAYOUT(COMPLEX_KEY_HASHED()) LIFETIME(0)",
		"CREATE OR REPLACE DICTIONARY hooktape.d (s String) PRIMARY KEY s SOURCE(CLICKHOUSE(HOST '127.0.0.1' PORT " +
			"$port TABLE 'one' DB 'system')) LAYOUT(COMPLEX_KEY_HASHED()) LIFETIME(0)",
		"SELECT * FROM executable('run.sh', CSV, 's String')",
		"SELECT * FROM executable('../../../../../../../..$run', CSV, 's String')",
		"CREATE TABLE hooktape.e$n (s String) ENGINE = Executable('run.sh', CSV)",
		"CREATE TABLE hooktape.e$n (s String) ENGINE = ExecutablePool('run.sh', CSV)", "CREATE FUNCTION f$n AS x -> x",
		"CREATE FUNCTION f$n ARGUMENTS (x UInt8) RETURNS UInt8 ENGINE = Executable CODE 'run.sh'",
		"SELECT * FROM url('http://$address/', CSV, 's String')", "SELECT * FROM url('file://$secret', LineAsString)",
		"SELECT * FROM urlCluster('default', 'http://$address/', CSV, 's String')",
		"SELECT * FROM s3('http://$address/b/x', CSV, 's String')",
		"SELECT * FROM s3('http://$address/b/x', NOSIGN, 'CSV', 's String')",
		"SELECT * FROM gcs('http://$address/b/x', CSV, 's String')",
		"SELECT * FROM hdfs('hdfs://$address/x', CSV, 's String')",
		"SELECT * FROM azureBlobStorage('http://$address/', 'c', 'x', 'a', 'a2V5', 'CSV', 'auto', 's String')",
		"SELECT * FROM mysql('$address', 'd', 't', 'u', 'p')",
		"SELECT * FROM postgresql('$address', 'd', 't', 'u', 'p')",
		"SELECT * FROM mongodb('$address', 'd', 't', 'u', 'p', 's String')",
		"SELECT * FROM redis('$address', 's', 's String')", "SELECT * FROM sqlite('$secret', 't')",
		"SELECT * FROM jdbc('jdbc:x://$address', 't')", "SELECT * FROM odbc('DSN=x', 't')",
		"SELECT * FROM remote('$address', system.one)", "SELECT * FROM remoteSecure('$address', system.one)",
		"SELECT * FROM cluster('default', system.one)", "SELECT * FROM clusterAllReplicas('default', system.one)",
		"SELECT * FROM iceberg('http://$address/b')", "SELECT * FROM icebergLocal('$dir')",
		"SELECT * FROM deltaLake('http://$address/b')", "SELECT * FROM deltaLakeLocal('$dir')",
		"SELECT * FROM hudi('http://$address/b')", "SELECT * FROM paimonLocal('$dir')",
		"SELECT * FROM filesystem('$dir')", "SELECT * FROM arrowFlight('$address', 'x')",
		"SELECT * FROM ytsaurus('http://$address', '//x', 't', 's String')",
		"SELECT * FROM eval('SELECT file(\\'$secret\\')')", "SELECT * FROM dictionary('hooktape.d')",
		"SELECT dictGet('hooktape.d', 's', 'x')", "SELECT * FROM format(Values, 's String', '(file(\\'$secret\\'))')",
		"SELECT * FROM format('Values', 's String', $$(file('$secret'))$$)",
		"SELECT * FROM format(concat('Val', 'ues'), '(file(\\'$secret\\'))')",
		"SELECT * FROM hooktape.k, format(Values, 's String', '(file(\\'$secret\\'))')",
		"SELECT * FROM `format`(Values, '(file(\\'$secret\\'))')",
		"SELECT * FROM format({x:String}, '(file(\\'$secret\\'))')",
		"SELECT * FROM input('s String')",
		"INSERT INTO hooktape.s SELECT * FROM input('s String') FORMAT Values (file('$secret'))",
		"SELECT * FROM viewExplain('EXPLAIN', '', (SELECT file('$secret')))",
		"SELECT * FROM loop(file('$csv', LineAsString))",
		"SELECT * FROM fuzzQuery('SELECT file(\\'$secret\\')') LIMIT 1", "SELECT * FROM `$csv`",
		"SELECT * FROM default.`$csv`", "SELECT * FROM '$csv'",
		"CREATE TABLE hooktape.f$n (s String) ENGINE = File(LineAsString, '$csv')",
		"CREATE TABLE hooktape.f$n (s String) ENGINE = URL('http://$address/', CSV)",
		"CREATE TABLE hooktape.f$n (s String) ENGINE = MySQL('$address', 'd', 't', 'u', 'p')",
		"CREATE TABLE hooktape.f$n (s String) ENGINE = S3('http://$address/b/x', CSV)",
		"CREATE TABLE hooktape.f$n (s String) ENGINE = Kafka('$address', 't', 'g', 'CSV')",
		"CREATE TABLE hooktape.f$n (s String) ENGINE = NATS", "CREATE TABLE hooktape.f$n (s String) ENGINE = RabbitMQ",
		"CREATE TABLE hooktape.f$n (s String) ENGINE = Distributed('default', 'system', 'one')",
		"CREATE TABLE hooktape.f$n (s String) ENGINE = FileLog('$dir', 'LineAsString')",
		"CREATE TABLE hooktape.f$n (s String) ENGINE = SQLite('$out', 't')",
		"CREATE TABLE hooktape.f$n (s String) ENGINE = EmbeddedRocksDB(0, '$out') PRIMARY KEY s",
		"CREATE TABLE hooktape.f$n (s String) ENGINE = Redis('$address') PRIMARY KEY s",
		"CREATE TABLE hooktape.f$n (s String) ENGINE = Remote('$address', 'system', 'one')",
		"CREATE TABLE hooktape.f$n (s String) ENGINE = MongoDB('$address', 'd', 't', 'u', 'p')",
		"CREATE TABLE hooktape.f$n (s String) ENGINE = ODBC('x', 'd', 't')",
		"CREATE TABLE hooktape.f$n (s String) ENGINE = MergeTree ORDER BY s SETTINGS disk = disk(type = 'local', " +
			"path = '$dir/disk/')",
		"CREATE TABLE hooktape.f$n (s String) ENGINE = MergeTree ORDER BY s SETTINGS disk = disk(type = 'web', " +
			"endpoint = 'http://$address/')",
		"CREATE TABLE hooktape.f$n (s String) ENGINE = MergeTree ORDER BY s SETTINGS disk = disk(type = 's3', " +
			"endpoint = 'http://$address/b/')",
		"CREATE TABLE hooktape.f$n (s String) ENGINE = MergeTree ORDER BY s SETTINGS storage_policy = 'other'",
		"CREATE TABLE hooktape.f$n (s String) ENGINE = ReplicatedMergeTree('/x', 'y') ORDER BY s",
		"CREATE DATABASE hooktape_$n ENGINE = MySQL('$address', 'd', 'u', 'p')",
		"CREATE DATABASE hooktape ENGINE = PostgreSQL('$address', 'd', 'u', 'p')",
		"CREATE DATABASE hooktape ENGINE = Filesystem('$dir')", "CREATE DATABASE hooktape ENGINE = SQLite('$secret')",
		"CREATE DATABASE hooktape ENGINE = S3('http://$address/')",
		"CREATE DATABASE hooktape ENGINE = DataLakeCatalog('http://$address/')",
		"CREATE DATABASE hooktape ENGINE = Backup('hooktape', File('$dir/backup'))",
		"ATTACH TABLE hooktape.g$n FROM '$dir' (s String) ENGINE = File(LineAsString)",
		"ATTACH TABLE hooktape.g$n (s String) ENGINE = MergeTree ORDER BY s", "ATTACH DATABASE hooktape",
		"DETACH TABLE hooktape.k", "BACKUP DATABASE hooktape TO File('$out')",
		"BACKUP TABLE hooktape.k TO Disk('default', '../../..$out')",
		"BACKUP TABLE hooktape.k TO S3('http://$address/b', '', '')", "BACKUP ALL TO File('$out')",
		"RESTORE DATABASE hooktape FROM File('$dir')", "RESTORE TABLE hooktape.k FROM Disk('default', '$dir')",
		"ALTER TABLE hooktape.k FREEZE WITH NAME '../../../../../..$out'",
		"ALTER TABLE hooktape.k FETCH PARTITION ID 'all' FROM '/x'",
		"ALTER TABLE hooktape.k MOVE PARTITION ID 'all' TO DISK 'x'",
		"CREATE NAMED COLLECTION n$n AS url = 'http://$address/'", "SELECT * FROM s3(n1)",
		"CREATE USER u$n IDENTIFIED BY 'x'", "CREATE ROLE r$n", "GRANT ALL ON *.* TO default",
		"GRANT FILE ON *.* TO default", "ALTER USER default IDENTIFIED BY 'x'",
		"CREATE ROW POLICY p$n ON hooktape.k USING 1 TO default", "CREATE SETTINGS PROFILE p$n", "CREATE QUOTA q$n",
		"SET ROLE ALL", "SET DEFAULT ROLE ALL TO default", "SET dialect = 'prql'",
		"SET format_schema = '$dir/schema.proto'", "EXECUTE AS default SELECT 1", "SYSTEM SHUTDOWN", "SYSTEM KILL",
		"SYSTEM RELOAD CONFIG", "SYSTEM RELOAD DICTIONARIES", "SYSTEM RELOAD FUNCTIONS", "SYSTEM FLUSH LOGS",
		"SYSTEM DROP DNS CACHE", "SYSTEM LOAD PRIMARY KEY", "SYSTEM START LISTEN TCP", "SYSTEM UNFREEZE WITH NAME 'x'",
		"SYSTEM SYNC FILESYSTEM CACHE", "SYSTEM STOP THREAD FUZZER",
		"SELECT 1 FORMAT Template SETTINGS format_template_row = '$dir/template'",
		"SELECT 1 AS x SETTINGS format_template_row = '$dir/template' FORMAT Template",
		"SELECT 1 FORMAT Template SETTINGS format_template_resultset = '$dir/template'",
		"SELECT 1 AS x FORMAT Protobuf SETTINGS format_schema = '$dir/schema.proto:X'",
		"SELECT 1 AS x FORMAT CapnProto SETTINGS format_schema = '$dir/schema.proto:X'",
		"SELECT 1 AS x FORMAT Protobuf SETTINGS output_format_schema = '$out.proto', " +
			"format_protobuf_use_autogenerated_schema = 1",
		"SELECT * FROM format(AvroConfluent, 's String', 'x') SETTINGS format_avro_schema_registry_url = " +
			"'http://$address/'",
		"INSERT INTO hooktape.s SETTINGS format_avro_schema_registry_url = 'http://$address/' FORMAT AvroConfluent " +
			"\x00\x00\x00\x00\x01x",
		"INSERT INTO hooktape.s SETTINGS format_schema = '$dir/schema.proto:X' FORMAT Protobuf x",
		"INSERT INTO hooktape.s SETTINGS format_template_row = '$dir/template' FORMAT Template x",
		"INSERT INTO hooktape.s SETTINGS input_format_record_errors_file_path = '$out', " +
			"input_format_allow_errors_num = 9 FORMAT CSV \"",
		"SELECT * FROM format(Template, 's String', 'x') SETTINGS format_template_row = '$dir/template'",
		"SELECT formatRow('Template', 1) SETTINGS format_template_row = '$dir/template'",
		"SELECT * FROM (SELECT 1 SETTINGS format_schema = '$dir/schema.proto')",
		"SELECT hasColumnInTable('127.0.0.1:$port', 'u', 'p', 'system', 'one', 'dummy')",
		"SELECT catboostEvaluate('$secret', 1)", "SELECT aiGenerate('x', 'y')",
		"SELECT structureToProtobufSchema('s String')", "SELECT regionToName(1)",
		"SELECT naiveBayesClassifier('x', 'y')", "SELECT showCertificate()", "SELECT filesystemAvailable('$dir')",
		"SELECT addressToLine(1)", "SELECT getServerSetting('path')", "SELECT * FROM zookeeper",
		"SELECT * FROM system.zookeeper WHERE path = '/'", "SELECT * FROM system.users", "SELECT chdb('print(1)')",
		"SHOW CREATE USER default", "SHOW ACCESS", "SHOW GRANTS", "USE system", "KILL QUERY ON CLUSTER default WHERE 1",
		"DROP DATABASE hooktape ON CLUSTER default",
		"CREATE TABLE hooktape.o$n ON CLUSTER default (s String) ENGINE = Memory",
		"CREATE TABLE hooktape.l$n (s String) ENGINE = Memory AS SELECT * FROM url('http://$address/', CSV, 's String')", "SELECT * FROM view(SELECT * FROM url('http://$address/', CSV, 's String'))", "SELECT * FROM hooktape.s WHERE s IN (SELECT * FROM url('http://$address/', CSV, 's String'))", "SELECT 1 UNION ALL SELECT * FROM url('http://$address/', CSV, 's UInt8')", "INSERT INTO FUNCTION url('http://$address/', CSV, 's String') SELECT 'x'", "INSERT INTO TABLE FUNCTION remote('$address', system.one) VALUES (1)", "INSERT INTO FUNCTION s3('http://$address/b/x', CSV, 's String') VALUES ('x')", "COPY hooktape.s TO '$out'", "MOVE USER default TO local_directory", "UNDROP TABLE hooktape.k", "SELECT * FROM prometheusQuery('x', 'y', 1)", "SELECT * FROM mergeTreeIndex('hooktape', 'k')", "SELECT * FROM merge('system', 'users')",
	} {
		statement = fill.Replace(statement)
		for _, form := range someForms(n, comments) {
			one := strings.ReplaceAll(statement, "$n", fmt.Sprint(len(all)))
			all = append(all, attack{statement: strings.ReplaceAll(form, "$", one)})
		}
		all = append(all, attack{statement: strings.ToLower(strings.ReplaceAll(statement, "$n", fmt.Sprint(len(all))))})
	}
	for name, value := range map[string]string{"format_template_row": "$dir/template",
		"format_template_resultset": "$dir/template", "format_schema": "$dir/schema.proto:X", "dialect": "prql",
		"format_avro_schema_registry_url": "http://$address/", "input_format_record_errors_file_path": "$out",
		"output_format_schema": "$out", "allow_experimental_prql_dialect": "1", "FORMAT_SCHEMA": "$dir/schema.proto:X",
		"implicit_select": "1", "url_base": "http://$address/", "into_outfile_create_parent_directories": "1"} {
		for _, format := range []string{"Template", "Protobuf", "AvroConfluent", "CapnProto", "CSV"} {
			all = append(all, attack{statement: "SELECT 1 AS x",
				params: url.Values{name: {fill.Replace(value)}, "default_format": {format}}},
				attack{statement: "INSERT INTO hooktape.s FORMAT " + format + "\n\"",
					params: url.Values{name: {fill.Replace(value)}}})
		}
	}
	for _, readonly := range []string{"0", "00", "0x0", "-0", "+0", " 0", "false", "'0'", "0.0", "3", ""} {
		for _, statement := range []string{"CREATE TABLE hooktape.get (s String) ENGINE = Memory",
			"INSERT INTO hooktape.s VALUES ('get')", "DROP TABLE hooktape.k",
			"INSERT INTO hooktape.s SELECT 'get' SETTINGS readonly = 0", "SET readonly = 0"} {
			all = append(all, attack{statement: statement, method: http.MethodGet,
				params: url.Values{"readonly": {readonly}}})
		}
	}
	return all
}

// TestAttacks runs every attack against the real engine as both users: with the statement filter and confinement
// together, and with each alone. The filter must hold on machines without Landlock, and confinement if the filter has a
// gap.
func TestAttacks(t *testing.T) {
	for name, args := range map[string][]string{"judged and confined": nil, "judged": {"--unconfined"},
		"confined": {"--unjudged"}} {
		t.Run(name, func(t *testing.T) {
			p := newTarget(t)
			dir := filepath.Join(t.TempDir(), "engine")
			scripts := filepath.Join(dir, "user_scripts")
			if err := os.MkdirAll(scripts, 0o700); err != nil {
				t.Fatal(err)
			}
			// The engine looks for programs in this folder. Even if an attacker gets one into it, it must not run.
			if err := os.WriteFile(filepath.Join(scripts, "run.sh"),
				[]byte("#!/bin/sh\necho ran >> "+filepath.Join(p.dir, "ran")+"\n"), 0o755); err != nil {
				t.Fatal(err)
			}
			engine := start(t, append([]string{"--path", dir}, args...)...)
			create(t, engine)
			for _, statement := range []string{"CREATE TABLE hooktape.s (s String) ENGINE = Memory",
				"CREATE TABLE hooktape.k (s String) ENGINE = MergeTree ORDER BY tuple()",
				"INSERT INTO hooktape.k VALUES ('kept')"} {
				if status, body := engine.ask(t, engine.writer(),
					attack{statement: statement}); status != http.StatusOK {
					t.Fatalf("%s: %s", statement, body)
				}
			}
			if err := p.untouched(); err != nil {
				t.Fatal(err)
			}
			all := p.attacks()
			t.Logf("%d attacks", len(all))
			if len(all) < 600 {
				t.Errorf("only %d attacks: some were removed", len(all))
			}
			var wg sync.WaitGroup
			next := make(chan attack)
			for range 8 {
				wg.Go(func() {
					for a := range next {
						for _, user := range []string{engine.writer(), engine.reader()} {
							status, body := engine.ask(t, user, a)
							if strings.Contains(body, p.secret) {
								t.Errorf("%q with %v: answer %d contains the secret: %s", a.statement, a.params, status,
									body)
							}
							if a.method == http.MethodGet && status == http.StatusOK &&
								!strings.HasPrefix(a.statement, "SET") {
								t.Errorf("GET %q with %v: got status %d", a.statement, a.params, status)
							}
						}
						if err := p.untouched(); err != nil {
							t.Errorf("%q with %v, or a concurrent attack: %v", a.statement, a.params, err)
						}
					}
				})
			}
			for _, a := range all {
				// These disks try to connect for minutes, too long for a statement of this test.
				if name != "confined" || !strings.Contains(a.statement, "endpoint") {
					next <- a
				}
			}
			close(next)
			wg.Wait()
			// No attack may have stored the secret in a table, or stopped the engine.
			_, tables := engine.ask(t, engine.writer(),
				attack{statement: "SELECT name FROM system.tables WHERE database = 'hooktape'"})
			if !strings.Contains(tables, "s\n") {
				t.Fatalf("the engine has stopped answering: %s\n%s", tables, engine.stderr)
			}
			for table := range strings.FieldsSeq(tables) {
				if _, body := engine.ask(t, engine.writer(),
					attack{statement: "SELECT * FROM hooktape.`" + table + "`"}); strings.Contains(body, p.secret) {
					t.Errorf("table %s contains the secret", table)
				}
			}
			if err := p.untouched(); err != nil {
				t.Error(err)
			}
			if _, err := os.Stat(filepath.Join(p.dir, "ran")); err == nil {
				t.Error("the engine ran the program")
			}
		})
	}
}

// ask sends one request. user is the engine's address with the user's name and password.
func (p *process) ask(t *testing.T, user string, a attack) (int, string) {
	t.Helper()
	query := url.Values{"max_execution_time": {"20"}}
	for name, values := range a.params {
		query[name] = values
	}
	method, body := http.MethodPost, io.Reader(strings.NewReader(a.statement))
	if a.method == http.MethodGet {
		method, body = http.MethodGet, nil
		query.Set("query", a.statement)
	}
	ctx, cancel := context.WithTimeout(t.Context(), testutil.Patience)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, method, user+"/?"+query.Encode(), body)
	if err != nil {
		t.Error(err)
		return 0, ""
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Errorf("%q: %v", a.statement, err)
		return 0, ""
	}
	defer resp.Body.Close()
	text, _ := io.ReadAll(resp.Body) // an error in the middle is an answer too
	return resp.StatusCode, string(text)
}
