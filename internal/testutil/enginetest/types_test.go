package enginetest_test

import (
	"context"
	"encoding/json"
	"net"
	"reflect"
	"testing"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/google/uuid"
)

// typeCases are the column types that hooktape uses, each with a value that a wrong conversion would change.
var typeCases = []struct {
	name, column string
	value        any
}{
	{"UUID", "UUID", uuid.MustParse("018f3b9e-7c1a-7def-8123-456789abcdef")},
	{"DateTime", "DateTime('UTC')", time.Date(2026, 3, 1, 4, 5, 6, 0, time.UTC)},
	{"DateTime64 ms", "DateTime64(3, 'UTC')", time.Date(2026, 3, 1, 4, 5, 6, 789e6, time.UTC)},
	{"DateTime64 us", "DateTime64(6, 'UTC')", time.Date(2026, 3, 1, 4, 5, 6, 789123e3, time.UTC)},
	{"DateTime64 before 1970", "DateTime64(6, 'UTC')", time.Date(1969, 12, 31, 23, 59, 59, 999999e3, time.UTC)},
	{"Nullable DateTime64", "Nullable(DateTime64(6, 'UTC'))", new(time.Date(2026, 3, 1, 4, 5, 6, 789123e3, time.UTC))},
	{"Nullable DateTime64 null", "Nullable(DateTime64(6, 'UTC'))", (*time.Time)(nil)},
	{"Nullable UUID null", "Nullable(UUID)", (*uuid.UUID)(nil)},
	{"Nullable String", "Nullable(String)", new("x")},
	{"LowCardinality", "LowCardinality(String)", "telegram"},
	{"LowCardinality Nullable", "LowCardinality(Nullable(String))", new("x")},
	{"Enum8", "Enum8('accepted' = 1, 'refused' = 2)", "refused"},
	{"String of any bytes", "String", "\x00\xff\xfe\n\t'\\\"\r\n`{x:String}"},
	{"String empty", "String", ""},
	{"FixedString", "FixedString(32)",
		"0123456789abcdef\x00\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b\x0c\x0d\x0e\xff"},
	{"UInt8", "UInt8", uint8(255)},
	{"UInt16", "UInt16", uint16(65535)},
	{"UInt32", "UInt32", uint32(4294967295)},
	{"UInt64", "UInt64", uint64(18446744073709551615)},
	{"Int64", "Int64", int64(-9223372036854775808)},
	{"Float64", "Float64", 0.1},
	{"Bool", "Bool", true},
	{"IPv6", "IPv6", net.ParseIP("2001:db8::1")},
	{"Array of strings", "Array(String)", []string{"a", "", "\x00"}},
	{"Array empty", "Array(String)", []string{}},
	{"Array of times", "Array(DateTime64(9, 'UTC'))", []time.Time{time.Date(2026, 3, 1, 4, 5, 6, 789123456, time.UTC)}},
	{"Map", "Map(String, String)", map[string]string{"a": "1", "": "\xff"}},
	{"Map empty", "Map(String, String)", map[string]string{}},
	{"Map of LowCardinality", "Map(LowCardinality(String), String)", map[string]string{"service.name": "hooktape"}},
	{"Array of maps", "Array(Map(LowCardinality(String), String))", []map[string]string{{"k": "v"}, {}}},
	{"Tuples", "Array(Tuple(name String, value String))",
		[]map[string]any{{"name": "Content-Type", "value": "application/json"}, {"name": "X", "value": "\x00"}}},
}

func TestTypes(t *testing.T) {
	conn := open(t)
	for _, c := range typeCases {
		t.Run(c.name, func(t *testing.T) {
			mustExec(t, conn, "CREATE OR REPLACE TABLE typed (v "+c.column+") ENGINE = MergeTree ORDER BY tuple()")
			batch, err := conn.PrepareBatch(context.Background(), "INSERT INTO typed")
			if err != nil {
				t.Fatal(err)
			}
			if err := batch.Append(c.value); err != nil {
				t.Fatal(err)
			}
			if err := batch.Send(); err != nil {
				t.Fatal(err)
			}
			got := reflect.New(reflect.TypeOf(c.value))
			if err := conn.QueryRow(context.Background(), "SELECT v FROM typed").Scan(got.Interface()); err != nil {
				t.Fatal(err)
			}
			if at, ok := got.Interface().(*time.Time); ok {
				// The server may call the zone UTC or Etc/UTC.
				*at = at.UTC()
			}
			if got := got.Elem().Interface(); !reflect.DeepEqual(got, c.value) {
				t.Errorf("got %#v, want %#v", got, c.value)
			}
		})
	}
}

func TestJSON(t *testing.T) {
	conn := open(t)
	mustExec(t, conn, "CREATE TABLE j (fields JSON) ENGINE = MergeTree ORDER BY tuple()")
	batch, err := conn.PrepareBatch(context.Background(), "INSERT INTO j")
	if err != nil {
		t.Fatal(err)
	}
	for _, document := range []string{`{"city":"Riga","age":31,"tags":["a","b"],"deep":{"x":1.5}}`, `{}`,
		`{"city":null}`} {
		if err := batch.Append(document); err != nil {
			t.Fatal(err)
		}
	}
	if err := batch.Send(); err != nil {
		t.Fatal(err)
	}
	if got := one[string](t, conn, "SELECT fields.city::String FROM j WHERE fields.age::Int64 = 31"); got != "Riga" {
		t.Errorf("got city %q, want Riga", got)
	}
	var document clickhouse.JSON
	if err := conn.QueryRow(context.Background(),
		"SELECT fields FROM j WHERE fields.age::Int64 = 31").Scan(&document); err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(document.NestedMap())
	if err != nil {
		t.Fatal(err)
	}
	if want := `{"age":31,"city":"Riga","deep":{"x":1.5},"tags":["a","b"]}`; string(text) != want {
		t.Errorf("got %s, want %s", text, want)
	}
	if got := one[string](t, conn, "SELECT toJSONString(fields) FROM j WHERE fields.age::Int64 = 31 "+
		"SETTINGS output_format_json_quote_64bit_integers = 0"); got != `{"age":31,"city":"Riga","deep":{"x":1.5},"tags":["a","b"]}` {
		t.Errorf("got %s", got)
	}
}

func TestNested(t *testing.T) {
	conn := open(t)
	mustExec(t, conn,
		"CREATE TABLE n (Events Nested(Name LowCardinality(String), Attributes Map(LowCardinality(String), String)))"+
			" ENGINE = MergeTree ORDER BY tuple()")
	batch, err := conn.PrepareBatch(context.Background(), "INSERT INTO n (Events.Name, Events.Attributes)")
	if err != nil {
		t.Fatal(err)
	}
	names, attributes := []string{"stored", "sent"}, []map[string]string{{"k": "v"}, {}}
	if err := batch.Append(names, attributes); err != nil {
		t.Fatal(err)
	}
	if err := batch.Send(); err != nil {
		t.Fatal(err)
	}
	var row struct {
		Names      []string            `ch:"Events.Name"`
		Attributes []map[string]string `ch:"Events.Attributes"`
	}
	if err := conn.QueryRow(context.Background(),
		"SELECT Events.Name, Events.Attributes FROM n").ScanStruct(&row); err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(row.Names, names) || !reflect.DeepEqual(row.Attributes, attributes) {
		t.Errorf("got %v", row)
	}
}
