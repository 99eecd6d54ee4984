package archive

import (
	"fmt"
	"reflect"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/parquet-go/parquet-go"

	"hooktape/store"
)

// layout is how the rows of a table stand in Parquet: as structs with a field for each column.
type layout struct {
	row     reflect.Type
	schema  *parquet.Schema
	columns []string
}

// pair is a header line.
type pair struct {
	Name  string `parquet:"name" ch:"name"`
	Value string `parquet:"value" ch:"value"`
}

// headerType is the type of columns with headers. The server writes it in one line or in several, as it is asked.
const headerType = "Array(Tuple(nameString,valueString))"

// raw are the columns with bytes that need not be text. All others are text to whoever reads the file, though their bytes
// are kept as they are as well.
var raw = map[string]bool{"body": true, "response_body": true, "record": true}

func layoutOf(table string, columns []store.Column) (*layout, error) {
	l := &layout{}
	var fields []reflect.StructField
	for i, c := range columns {
		t, tag, err := fieldOf(c)
		if err != nil {
			return nil, fmt.Errorf("table %s, column %s: %w", table, c.Name, err)
		}
		fields = append(fields, reflect.StructField{Name: fmt.Sprintf("C%d", i), Type: t, Tag: reflect.StructTag(fmt.Sprintf("parquet:%q%s", c.Name+tag, elementTag(c)))})
		l.columns = append(l.columns, c.Name)
	}
	l.row = reflect.StructOf(fields)
	l.schema = parquet.NewSchema(table, parquet.SchemaOf(reflect.New(l.row).Interface()))
	return l, nil
}

// fieldOf is the type of a column's values in memory, and the tag that says what they are in the file.
func fieldOf(c store.Column) (t reflect.Type, tag string, err error) {
	t = c.Go
	switch {
	case raw[c.Name]:
		return reflect.TypeFor[[]byte](), ",zstd", nil
	case t == reflect.TypeFor[uuid.UUID]():
		return t, ",uuid", nil
	case t == reflect.TypeFor[time.Time]():
		return t, unitOf(c.Type) + ",zstd", nil
	case t == reflect.TypeFor[*time.Time]():
		return t, ",optional" + unitOf(c.Type) + ",zstd", nil
	case strings.Join(strings.Fields(c.Type), "") == headerType:
		return reflect.TypeFor[[]pair](), ",list", nil
	case t.Kind() == reflect.Slice && t.Elem() != reflect.TypeFor[map[string]any]():
		return t, ",list", nil
	case t.Kind() == reflect.Map:
		return t, "", nil
	case t.Kind() == reflect.Pointer:
		return t, ",optional,zstd", nil
	case strings.HasPrefix(c.Type, "LowCardinality("):
		return t, ",dict,zstd", nil
	case t.Kind() <= reflect.Float64 || t.Kind() == reflect.String:
		return t, ",zstd", nil
	}
	return nil, "", fmt.Errorf("%s is a type that this version does not keep in files", c.Type)
}

// elementTag is for arrays of times.
func elementTag(c store.Column) string {
	if c.Go == reflect.TypeFor[[]time.Time]() {
		return fmt.Sprintf(" parquet-element:%q", unitOf(c.Type))
	}
	return ""
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

// values are those of a row as an insert takes them.
func values(row reflect.Value) []any {
	list := make([]any, row.NumField())
	for i := range list {
		list[i] = row.Field(i).Interface()
		if pairs, ok := list[i].([]pair); ok {
			tuples := make([][]string, len(pairs))
			for j, p := range pairs {
				tuples[j] = []string{p.Name, p.Value}
			}
			list[i] = tuples
		}
	}
	return list
}
