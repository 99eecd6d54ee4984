package archive

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/parquet-go/parquet-go"

	"hooktape/internal/store"
)

// layout is how the rows of a table stand in Parquet: as structs with a field for each column.
type layout struct {
	row     reflect.Type
	schema  *parquet.Schema
	columns []string
}

// Strings says what ClickHouse's strings, which may hold any bytes, are in a file.
type Strings int

const (
	// Exact keeps all strings as bytes (BYTE_ARRAY without a logical type), so that any content comes back byte for byte and
	// any reader takes the file.
	Exact Strings = iota
	// Readable has bytes only in the columns that hold what came over the network as it came: bodies, queries and the values of
	// headers. All other strings are text (UTF8); bytes in them that are not UTF-8 become U+FFFD.
	Readable
)

// pair is a header line of a readable file.
type pair struct {
	Name  string `parquet:"name" ch:"name"`
	Value string `parquet:"value,bytes" ch:"value"`
}

// exactPair is a header line of an exact file.
type exactPair struct {
	Name  string `parquet:"name,bytes" ch:"name"`
	Value string `parquet:"value,bytes" ch:"value"`
}

// headerType is the type of columns with headers. The server writes it in one line or in several, as it is asked.
const headerType = "Array(Tuple(nameString,valueString))"

// raw are the columns that hold bytes as they came over the network.
var raw = map[string]bool{"body": true, "response_body": true, "record": true, "query": true}

func layoutOf(table string, columns []store.Column, as Strings, only ...string) (*layout, error) {
	l := &layout{}
	var fields []reflect.StructField
	for i, c := range columns {
		t, tag, err := fieldOf(c, as)
		if err != nil {
			return nil, fmt.Errorf("table %s, column %s: %w", table, c.Name, err)
		}
		tags := fmt.Sprintf("parquet:%q%s", c.Name+tag, innerTags(c, as))
		if len(only) > 0 && !slices.Contains(only, c.Name) {
			tags = `parquet:"-"` // in memory and not in the file
		}
		fields = append(fields, reflect.StructField{Name: fmt.Sprintf("C%d", i), Type: t, Tag: reflect.StructTag(tags)})
		l.columns = append(l.columns, c.Name)
	}
	l.row = reflect.StructOf(fields)
	l.schema = parquet.NewSchema(table, parquet.SchemaOf(reflect.New(l.row).Interface()))
	return l, nil
}

// fieldOf is the type of a column's values in memory, and the tag that says what they are in the file.
func fieldOf(c store.Column, as Strings) (t reflect.Type, tag string, err error) {
	t = c.Go
	text := ""
	if as == Exact && t.Kind() == reflect.String {
		text = ",bytes"
	}
	switch {
	case raw[c.Name]:
		return reflect.TypeFor[[]byte](), ",zstd", nil
	case t == reflect.TypeFor[uuid.UUID]():
		return t, ",uuid", nil
	case t == reflect.TypeFor[time.Time]():
		return t, unitOf(c.Type) + ",zstd", nil
	case t == reflect.TypeFor[*time.Time]():
		return t, ",optional" + unitOf(c.Type) + ",zstd", nil
	case strings.Join(strings.Fields(c.Type), "") == headerType && as == Exact:
		return reflect.TypeFor[[]exactPair](), ",list", nil
	case strings.Join(strings.Fields(c.Type), "") == headerType:
		return reflect.TypeFor[[]pair](), ",list", nil
	case t.Kind() == reflect.Slice && t.Elem() != reflect.TypeFor[map[string]any]():
		return t, ",list", nil
	case t.Kind() == reflect.Map:
		return t, "", nil
	case t.Kind() == reflect.Pointer:
		return t, ",optional,zstd", nil
	case strings.HasPrefix(c.Type, "LowCardinality("):
		return t, text + ",dict,zstd", nil
	case t.Kind() <= reflect.Float64 || t.Kind() == reflect.String:
		return t, text + ",zstd", nil
	}
	return nil, "", fmt.Errorf("%s is a type that this version does not keep in files", c.Type)
}

// innerTags are the tags of what an array or a map consists of. The maps in the arrays of otel_traces are text in exact files
// too: parquet-go has no tag for them, and OTLP allows nothing but UTF-8 there.
func innerTags(c store.Column, as Strings) (tags string) {
	inner := func(tag string, t reflect.Type) {
		if as == Exact && t.Kind() == reflect.String {
			tags += " " + tag + `:",bytes"`
		}
	}
	switch {
	case c.Go == reflect.TypeFor[[]time.Time]():
		return fmt.Sprintf(" parquet-element:%q", unitOf(c.Type))
	case c.Go.Kind() == reflect.Slice:
		inner("parquet-element", c.Go.Elem())
	case c.Go.Kind() == reflect.Map:
		inner("parquet-key", c.Go.Key())
		inner("parquet-value", c.Go.Elem())
	}
	return tags
}

// unitOf is how fine the times of a type are; those of a whole second have no unit in Parquet.
func unitOf(clickhouseType string) string {
	switch {
	case strings.Contains(clickhouseType, "DateTime64(9"):
		return ",timestamp(nanosecond)"
	case strings.Contains(clickhouseType, "DateTime64(6"):
		return ",timestamp(microsecond)"
	}
	return ",timestamp(millisecond)"
}

// values are those of a row of an exact layout as an insert takes them.
func values(row reflect.Value) []any {
	list := make([]any, row.NumField())
	for i := range list {
		list[i] = row.Field(i).Interface()
		if pairs, ok := list[i].([]exactPair); ok {
			tuples := make([][]string, len(pairs))
			for j, p := range pairs {
				tuples[j] = []string{p.Name, p.Value}
			}
			list[i] = tuples
		}
	}
	return list
}
