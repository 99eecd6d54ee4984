package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"hooktape/internal/testutil"
	"hooktape/internal/testutil/enginetest"
)

// process is a running embedded-clickhouse.
type process struct {
	cmd     *exec.Cmd
	stdin   io.WriteCloser
	stderr  *bytes.Buffer
	address string
}

// start runs the program and waits until it listens. The test fails if it does not.
func start(t *testing.T, args ...string) *process {
	t.Helper()
	p := &process{cmd: exec.Command(enginetest.Binary(t),
		append([]string{"serve", "--listen", "127.0.0.1:0"}, args...)...), stderr: new(bytes.Buffer)}
	p.cmd.Stderr = p.stderr
	p.cmd.Env = append(os.Environ(), "TMPDIR="+t.TempDir(), "HOOKTAPE_EMBEDDED_PASSWORD="+enginetest.Password,
		"HOOKTAPE_EMBEDDED_READER_PASSWORD="+enginetest.ReaderPassword)
	p.stdin, _ = p.cmd.StdinPipe()
	stdout, err := p.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.cmd.Process.Kill(); p.cmd.Wait() })
	line, err := bufio.NewReader(stdout).ReadString('\n')
	if err != nil {
		t.Fatalf("it does not listen: %s", p.stderr)
	}
	p.address = strings.TrimSpace(strings.TrimPrefix(line, "listening on "))
	return p
}

// url returns the address with a user and password.
func (p *process) url(user, password string) string {
	return strings.Replace(p.address, "http://", "http://"+user+":"+password+"@", 1)
}

// writer returns the address with the credentials of the user that may write.
func (p *process) writer() string { return p.url("default", enginetest.Password) }

// reader returns the address with the credentials of the user that may only read.
func (p *process) reader() string { return p.url("reader", enginetest.ReaderPassword) }

// refused runs the program and verifies that it exits with status 1 and one line that contains the given texts.
func refused(t *testing.T, env []string, args []string, words ...string) {
	t.Helper()
	cmd := exec.Command(enginetest.Binary(t), args...)
	cmd.Env = append(os.Environ(), env...)
	out, _ := cmd.CombinedOutput()
	if status := cmd.ProcessState.ExitCode(); status != 1 || strings.Count(string(out), "\n") != 1 {
		t.Errorf("got status %d and %q, want 1 and one line", status, out)
	}
	for _, word := range words {
		if !strings.Contains(string(out), word) {
			t.Errorf("got %q, want it to say %q", out, word)
		}
	}
}

func get(t *testing.T, address string, change func(*http.Request)) (int, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), "GET", address, nil)
	if err != nil {
		t.Fatal(err)
	}
	if change != nil {
		change(req)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(body)
}

func TestRefusals(t *testing.T) {
	dir := t.TempDir()
	running := start(t, "--path", dir)
	damaged := filepath.Join(t.TempDir(), "libchdb.so")
	if err := os.WriteFile(damaged, []byte("no library"), 0o644); err != nil {
		t.Fatal(err)
	}
	other := []string{"--path", t.TempDir(), "--listen", "127.0.0.1:0"}
	t.Run("data in use", func(t *testing.T) {
		refused(t, nil, []string{"--path", dir, "--listen", "127.0.0.1:0"}, dir, "in use", "--path")
	})
	t.Run("port in use", func(t *testing.T) {
		address := strings.TrimPrefix(running.address, "http://")
		refused(t, nil, []string{"--path", t.TempDir(), "--listen", address}, address, "in use", "--listen")
	})
	t.Run("no address", func(t *testing.T) {
		refused(t, nil, []string{"--path", t.TempDir(), "--listen", "nonsense"}, "nonsense")
	})
	t.Run("engine missing", func(t *testing.T) {
		refused(t, []string{"CHDB_LIB_PATH=", "XDG_CACHE_HOME=" + t.TempDir()}, other, "not there", "make engine")
	})
	t.Run("engine damaged", func(t *testing.T) {
		refused(t, []string{"CHDB_LIB_PATH=" + damaged}, other, damaged, "fetch --force")
	})
	t.Run("data directory cannot be made", func(t *testing.T) {
		refused(t, nil, []string{"--path", damaged, "--listen", "127.0.0.1:0"}, "data directory")
	})
}

// TestBrowser verifies that requests that a web page of another origin can make a browser send are refused.
func TestBrowser(t *testing.T) {
	p := start(t, "--temporary")
	_, port, _ := net.SplitHostPort(strings.TrimPrefix(p.address, "http://"))
	for _, c := range []struct {
		name, header, value string
		status              int
	}{
		{"curl", "", "", 200},
		{"curl with a host name", "Host", "db.internal:" + port, 200},
		{"typed by the user", "Sec-Fetch-Site", "none", 200},
		{"same origin", "Origin", p.address, 200},
		{"cross-site", "Sec-Fetch-Site", "cross-site", 403},
		{"other port of this host", "Sec-Fetch-Site", "same-site", 403},
		{"foreign origin", "Origin", "https://evil.example", 403},
		{"rebound name", "Browser's Host", "evil.example:" + port, 403},
		{"unspecified address", "Host", "0.0.0.0:" + port, 403},
		{"unspecified address in a browser", "Browser's Host", "0.0.0.0:" + port, 403},
		{"unspecified IPv6 address", "Host", "[::]:" + port, 403},
		{"mapped unspecified address", "Host", "[::ffff:0.0.0.0]:" + port, 403},
		{"zero", "Host", "0:" + port, 403},
		{"localhost", "Browser's Host", "localhost:" + port, 200},
		{"IPv4", "Browser's Host", "127.0.0.1:" + port, 200},
		{"IPv6", "Browser's Host", "[::1]:" + port, 200},
	} {
		t.Run(c.name, func(t *testing.T) {
			status, body := get(t, p.writer()+"/?query=SELECT+1", func(r *http.Request) {
				if c.header == "Host" {
					r.Host = c.value
				} else if c.header == "Browser's Host" {
					r.Host = c.value
					r.Header.Set("User-Agent", "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0")
				} else if c.header != "" {
					r.Header.Set(c.header, c.value)
				}
			})
			if status != c.status {
				t.Errorf("got status %d (%s), want %d", status, body, c.status)
			}
		})
	}
}

func TestPassword(t *testing.T) {
	p := start(t, "--temporary", "--password", "s3cret", "--log-level", "debug")
	query := p.address + "/?query=SELECT+1"
	for _, c := range []struct {
		name, address string
		change        func(*http.Request)
		status        int
	}{
		{"none", query, nil, 401},
		{"wrong", query, func(r *http.Request) { r.SetBasicAuth("default", "guess") }, 403},
		{"other user", query, func(r *http.Request) { r.SetBasicAuth("admin", "s3cret") }, 403},
		{"basic", query, func(r *http.Request) { r.SetBasicAuth("default", "s3cret") }, 200},
		{"headers", query, func(r *http.Request) { r.Header.Set("X-ClickHouse-Key", "s3cret") }, 200},
		{"URL", query + "&user=default&password=s3cret", nil, 200},
		{"ping needs none", p.address + "/ping", nil, 200},
		{"any name", query, func(r *http.Request) { r.Host = "db.internal"; r.SetBasicAuth("default", "s3cret") }, 200},
		{"reader", query, func(r *http.Request) { r.SetBasicAuth("reader", enginetest.ReaderPassword) }, 200},
		{"reader with the other's password", query, func(r *http.Request) { r.SetBasicAuth("reader", "s3cret") }, 403},
		{"no user", query + "&user=&password=", nil, 403},
	} {
		t.Run(c.name, func(t *testing.T) {
			if status, body := get(t, c.address, c.change); status != c.status {
				t.Errorf("got status %d (%s), want %d", status, body, c.status)
			}
		})
	}
	p.cmd.Process.Signal(syscall.SIGTERM)
	p.cmd.Wait()
	if strings.Contains(p.stderr.String(), "s3cret") {
		t.Errorf("it logged the password: %s", p.stderr)
	}
}

// TestFilesStayClosed verifies that a client of the port cannot read the user's files.
func TestFilesStayClosed(t *testing.T) {
	p := start(t, "--temporary")
	secret := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(secret, []byte("secret\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, statement := range []string{
		"SELECT * FROM file('" + secret + "', LineAsString)",
		"SELECT file('" + secret + "')",
		"SELECT * APPLY(file) FROM (SELECT '" + secret + "')",
		"SELECT * FROM default.`" + secret + "`",
		"SELECT * FROM url('file://" + secret + "', LineAsString)",
		"CREATE TABLE t (s String) ENGINE = File(LineAsString, '" + secret + "')",
		"INSERT INTO FUNCTION file('" + secret + "', LineAsString, 's String') SELECT 'x'",
		"SELECT 1 INTO OUTFILE '" + secret + "' TRUNCATE",
		"INSERT INTO t FROM INFILE '" + secret + "' FORMAT CSV",
		"SYSTEM SHUTDOWN",
	} {
		resp, err := http.Post(p.writer()+"/?database=hooktape", "text/plain", strings.NewReader(statement))
		if err != nil {
			t.Fatal(err)
		}
		body, _ := io.ReadAll(resp.Body)
		resp.Body.Close()
		if resp.StatusCode == 200 || strings.Contains(string(body), "secret\n") {
			t.Errorf("%s: got status %d, %s", statement, resp.StatusCode, body)
		}
	}
}

// TestTornInsert verifies that incomplete data is not inserted, with each way of marking the end of a body.
func TestTornInsert(t *testing.T) {
	p := start(t, "--temporary")
	post := func(statement string) {
		resp, err := http.Post(p.writer()+"/?database=hooktape", "text/plain", strings.NewReader(statement))
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
	}
	create(t, p)
	post("CREATE TABLE torn (n UInt8) ENGINE = Memory")
	for _, request := range []string{"Content-Length: 100\r\n\r\n1\n2\n",
		"Transfer-Encoding: chunked\r\n\r\n4\r\n1\n2\n\r\n"} {
		conn, err := net.Dial("tcp", strings.TrimPrefix(p.address, "http://"))
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(conn,
			"POST /?database=hooktape&password=%s&query=INSERT+INTO+torn+FORMAT+TSV HTTP/1.1\r\nHost: 127.0.0.1\r\n%s",
			enginetest.Password, request)
		conn.(*net.TCPConn).CloseWrite()
		answer, _ := io.ReadAll(conn)
		conn.Close()
		if strings.Contains(string(answer), " 200 ") {
			t.Errorf("got %q", answer)
		}
	}
	if _, count := get(t, p.writer()+"/?database=hooktape&query=SELECT+count()+FROM+torn", nil); count != "0\n" {
		t.Errorf("%s rows of torn requests were inserted", strings.TrimSpace(count))
	}
}

// TestStopInOrder verifies that a stop waits for the running statement.
func TestStopInOrder(t *testing.T) {
	dir := t.TempDir()
	p := start(t, "--path", dir)
	answer := make(chan string, 1)
	go func() {
		resp, err := http.Get(p.writer() + "/?query=SELECT+sleep(1.5)")
		if err != nil {
			answer <- err.Error()
			return
		}
		defer resp.Body.Close()
		body, _ := io.ReadAll(resp.Body)
		answer <- string(body)
	}()
	waitFor(t, func() bool {
		_, count := get(t, p.writer()+"/?query=SELECT+count()+FROM+system.processes+WHERE+query+LIKE+'SELECT+sleep%25'",
			nil)
		return count == "1\n"
	})
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if got := <-answer; got != "0\n" {
		t.Errorf("the running statement got %q, want its result", got)
	}
	if err := p.cmd.Wait(); err != nil {
		t.Errorf("got %v, want exit status 0: %s", err, p.stderr)
	}
	// The process has released the lock.
	start(t, "--path", dir)
}

// TestStopEndsLongStatements verifies that a stop cancels statements that do not end in time.
func TestStopEndsLongStatements(t *testing.T) {
	p := start(t, "--temporary")
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	go func() {
		req, _ := http.NewRequestWithContext(ctx, "GET",
			p.writer()+"/?query=SELECT+sum(sipHash64(number))+FROM+numbers(1000000000000)", nil)
		if resp, err := http.DefaultClient.Do(req); err == nil {
			resp.Body.Close()
		}
	}()
	waitFor(t, func() bool {
		_, count := get(t, p.writer()+"/?query=SELECT+count()+FROM+system.processes+WHERE+query+LIKE+'SELECT+sum%25'",
			nil)
		return count == "1\n"
	})
	p.cmd.Process.Signal(syscall.SIGTERM)
	defer time.AfterFunc(testutil.Patience, func() { p.cmd.Process.Kill() }).Stop()
	if err := p.cmd.Wait(); err != nil {
		t.Errorf("it ended with %v: %s", err, p.stderr)
	}
}

// TestExitWithStdin verifies that when its parent is killed the engine exits and leaves no temporary data.
func TestExitWithStdin(t *testing.T) {
	p := start(t, "--temporary", "--exit-with-stdin")
	var temp string
	for _, variable := range p.cmd.Env {
		if dir, ok := strings.CutPrefix(variable, "TMPDIR="); ok {
			temp = dir
		}
	}
	p.stdin.Close()
	if err := p.cmd.Wait(); err != nil {
		t.Errorf("got %v, want exit status 0: %s", err, p.stderr)
	}
	if left, _ := os.ReadDir(temp); len(left) > 0 {
		t.Errorf("leftover files: %v", left)
	}
}

// create creates the database.
func create(t *testing.T, p *process) {
	t.Helper()
	resp, err := http.Post(p.writer(), "text/plain", strings.NewReader("CREATE DATABASE hooktape"))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		t.Fatalf("create the database: %s", resp.Status)
	}
}

func waitFor(t *testing.T, done func() bool) {
	t.Helper()
	testutil.Eventually(t, func() error {
		if !done() {
			return errors.New("the condition is not true")
		}
		return nil
	})
}

// TestWhereDataBegin verifies that the data of an INSERT begins where ClickHouse's parser expects it, whatever precedes
// it.
func TestWhereDataBegin(t *testing.T) {
	p := start(t, "--temporary")
	create(t, p)
	post := func(statement string) (int, string) {
		t.Helper()
		resp, err := http.Post(p.writer()+"/?database=hooktape", "text/plain", strings.NewReader(statement))
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		body, _ := io.ReadAll(resp.Body)
		return resp.StatusCode, string(body)
	}
	for _, statement := range []string{"CREATE TABLE `values` (format String) ENGINE = Memory",
		"CREATE TABLE t (format String, a String DEFAULT 'd') ENGINE = Memory"} {
		if status, body := post(statement); status != http.StatusOK {
			t.Fatalf("%.50s: %s", statement, body)
		}
	}
	for _, c := range []struct{ statement, table, want string }{
		{"INSERT INTO `values` VALUES ('FORMAT CSV')", "`values`", "FORMAT CSV"},
		{"INSERT INTO values VALUES ('1')", "`values`", "1"},
		{"-- FORMAT CSV\nINSERT INTO t (format) FORMAT TSV\nFORMAT;'", "t", "FORMAT;\\'\td"},
		{"/* VALUES (1) */ INSERT INTO t (format) /* FORMAT CSV */ FORMAT TSV\n-- no comment", "t", "-- no comment\td"},
		{"INSERT INTO t (format, a) SETTINGS async_insert = 0 FORMAT CSV  \r\n 1,2", "t", "1\t2"},
		{"INSERT INTO t SELECT 'x FORMAT CSV', 'VALUES (1)'", "t", "x FORMAT CSV\tVALUES (1)"},
		{"INSERT INTO t WITH 'x' AS format SELECT format, format", "t", "x\tx"},
		{"INSERT INTO t SELECT * FROM values('a String, b String', ('1', '2'))", "t", "1\t2"},
		{"INSERT INTO t VALUES (upper('a'), concat('x', ';', 'y'))", "t", "A\tx;y"},
		{"INSERT INTO t (a, format) VALUES ('it''s', '\\'') /* ' */", "", ""}, // comments are not allowed in data
		{"INSERT INTO t (format) FORMAT /* */ CSV\n1", "", ""},
		{"INSERT INTO t VALUES (file('/etc/passwd'), '')", "", ""},
		{"INSERT INTO t VALUES ('a', 'b'); DROP TABLE t", "", ""},
		{"INSERT INTO t (format) FORMAT CSV\n1\n; DROP TABLE t", "", ""},
	} {
		post("TRUNCATE TABLE `values`")
		post("TRUNCATE TABLE t")
		status, body := post(c.statement)
		if c.table == "" {
			if status == http.StatusOK && !strings.Contains(c.statement, "\n; DROP") { // this is a line of CSV
				t.Errorf("%q is accepted", c.statement)
			}
		} else if _, got := post("SELECT * FROM " + c.table); status != http.StatusOK || got != c.want+"\n" {
			t.Errorf("%q: status %d %s; the table contains %q, want %q", c.statement, status, body, got, c.want)
		}
	}
	if _, tables := post("EXISTS TABLE t"); tables != "1\n" {
		t.Error("the table is gone")
	}
}

// TestFunctionsAreReviewed verifies that each function of the engine was reviewed: it is either in the list of
// functions that reach nothing outside, or in the list of refused ones. Review the functions of a newer engine before
// you add them to a list.
func TestFunctionsAreReviewed(t *testing.T) {
	reviewed := map[string]bool{}
	for _, file := range []string{"functions.txt", "testdata/refused.txt"} {
		text, err := os.ReadFile("internal/chhttp/" + file)
		if err != nil {
			t.Fatal(err)
		}
		for name := range strings.FieldsSeq(string(text)) {
			if reviewed[name] {
				t.Errorf("%s is in both lists", name)
			}
			reviewed[name] = true
		}
	}
	p := start(t, "--temporary")
	_, names := get(t,
		p.writer()+"/?query="+
			url.QueryEscape("SELECT DISTINCT lower(name) FROM (SELECT name FROM system.functions UNION ALL SELECT "+
				"name FROM system.table_functions)"), nil)
	n := 0
	for name := range strings.FieldsSeq(names) {
		if n++; !reviewed[name] {
			t.Errorf("function %s was not reviewed yet", name)
		}
	}
	if n < 1000 {
		t.Errorf("the engine has %d functions: %s", n, names)
	}
}

// TestMissingProtectionWarns verifies that the program warns when a protection is switched off.
func TestMissingProtectionWarns(t *testing.T) {
	p := start(t, "--temporary", "--unconfined", "--unjudged")
	p.cmd.Process.Kill()
	p.cmd.Wait()
	for _, words := range []string{"WARNING: HOOKTAPE_EMBEDDED_UNCONFINED", "WARNING: HOOKTAPE_EMBEDDED_UNJUDGED"} {
		if !strings.Contains(p.stderr.String(), words) {
			t.Errorf("got %q, want it to say %q", p.stderr, words)
		}
	}
}
