package chhttp

import "testing"

func TestParseStatement(t *testing.T) {
	for _, c := range []struct {
		sql, kind, format string
		// text and data are the two sides of an INSERT that brings data.
		text, data string
	}{
		{sql: "SELECT 1", kind: "SELECT"},
		{sql: "select 1 format JSON", kind: "SELECT", format: "JSON"},
		{sql: "SELECT 1 FORMAT Native SETTINGS max_threads = 1", kind: "SELECT", format: "Native"},
		{sql: "-- FORMAT CSV\n/* FORMAT CSV */ (SELECT 'FORMAT CSV') -- FORMAT CSV", kind: "SELECT"},
		{sql: "SELECT format FROM t", kind: "SELECT"},
		{sql: "SELECT a AS format FROM t;", kind: "SELECT"},
		{sql: "SELECT 'a''FORMAT JSON', \"b\\\" FORMAT JSON\", `c FORMAT JSON`, $x$ FORMAT JSON $x$, ‘ FORMAT JSON’", kind: "SELECT"},
		{sql: "INSERT INTO t FORMAT Native\nFORMAT;\x00", kind: "INSERT", format: "Native", text: "INSERT INTO t ", data: "FORMAT;\x00"},
		{sql: "INSERT INTO t FORMAT CSV  \r\n 1", kind: "INSERT", format: "CSV", text: "INSERT INTO t ", data: " 1"},
		{sql: "INSERT INTO t (a, format) SETTINGS x = 1 FORMAT TSV\n", kind: "INSERT", format: "TSV",
			text: "INSERT INTO t (a, format) SETTINGS x = 1 "},
		{sql: "INSERT INTO `values` VALUES (1)", kind: "INSERT", format: "Values", text: "INSERT INTO `values` ", data: " (1)"},
		{sql: "INSERT INTO t SELECT 1 FORMAT CSV", kind: "INSERT", format: "CSV"},
		{sql: "INSERT INTO t WITH 1 AS x SELECT x", kind: "INSERT"},
		{sql: "", kind: ""},
		{sql: "'", kind: "'"},
	} {
		s, err := parseStatement([]byte(c.sql))
		if err != nil {
			t.Errorf("%q: %v", c.sql, err)
			continue
		}
		if s.kind != c.kind || s.format != c.format || s.hasData != (c.text != "") {
			t.Errorf("%q: got kind %q, format %q, data %t", c.sql, s.kind, s.format, s.hasData)
		}
		if s.hasData && (c.sql[:s.formatAt] != c.text || c.sql[s.dataAt:] != c.data) {
			t.Errorf("%q: got text %q and data %q", c.sql, c.sql[:s.formatAt], c.sql[s.dataAt:])
		}
	}
}

func TestParseStatementRefuses(t *testing.T) {
	for sql, code := range map[string]int{
		"SELECT 1; SELECT 2":                         62,
		"INSERT INTO t VALUES (1); DROP TABLE t":     62,
		"SELECT 1 INTO /**/ OUTFILE 'x'":             358,
		"EXPLAIN SELECT 1 INTO\nOUTFILE 'x'":         358,
		"INSERT INTO t FROM INFILE 'x' FORMAT CSV":   78,
		"SELECT `file` ('/etc/passwd')":              497,
		"SELECT * APPLY file FROM (SELECT 'x' AS x)": 497,
	} {
		if _, err := parseStatement([]byte(sql)); err == nil || asException(err).code != code {
			t.Errorf("%q: got error %v, want code %d", sql, err, code)
		}
	}
}

// FuzzParseStatement looks for texts that make the lexer leave its bounds or stand still.
func FuzzParseStatement(f *testing.F) {
	for _, seed := range []string{"INSERT INTO t FORMAT", "$a$", "'\\", "/*", "‘", "SELECT ((1)", "FORMAT"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, sql []byte) {
		if s, err := parseStatement(sql); err == nil && s.hasData && (s.formatAt > s.dataAt || s.dataAt > len(sql)) {
			t.Errorf("data at %d of %d, format at %d", s.dataAt, len(sql), s.formatAt)
		}
	})
}

func TestAccepted(t *testing.T) {
	for header, want := range map[string]int{"": -1, "gzip": 1, "gzip, zstd": 0, "br;q=1.0": 3, "zstd;q=0, deflate": 2, "lz4": -1} {
		if got := accepted(header); got != want {
			t.Errorf("%q: got %d, want %d", header, got, want)
		}
	}
}
