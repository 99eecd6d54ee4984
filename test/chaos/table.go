package main

import (
	"fmt"
	"io"
	"reflect"
	"text/tabwriter"
)

// row has the results of the requests under one fault.
type row struct {
	fault        string `column:"fault"`
	sent         int    `column:"sent"`
	acknowledged int    `column:"acknowledged"` // answered with 200
	refused      int    `column:"refused"`      // answered otherwise
	stored       int    `column:"stored"`       // different ids in ClickHouse
	lost         int    `column:"LOST"`         // acknowledged but not stored
	reported     int    `column:"reported"`     // lost, as reported by a damaged spool
	duplicated   int    `column:"DUPLICATED"`   // additional rows
	altered      int    `column:"altered"`      // stored with other content
	// unasked are stored but were never acknowledged: the answer was lost, and a sender would repeat the request.
	unasked   int  `column:"not acknowledged, yet stored"`
	uncounted bool // the spool reports losses that it could not count
}

// broken returns the broken promises as an error.
func (r *row) broken() error {
	if silently := r.lost - r.reported; silently > 0 && !r.uncounted || r.duplicated+r.altered > 0 {
		return fmt.Errorf("%d lost, %d of them reported, %d duplicated, %d altered", r.lost, r.reported, r.duplicated,
			r.altered)
	}
	return nil
}

// printTable prints the fields of rows that have a tag column, and their sums. Rows are pointers to structs of one
// type.
func printTable(out io.Writer, rows []any) {
	if len(rows) == 0 {
		return
	}
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight)
	t := reflect.TypeOf(rows[0]).Elem()
	line := func(cell func(field int) any) {
		for i := range t.NumField() {
			if t.Field(i).Tag.Get("column") != "" {
				fmt.Fprintf(table, "%v\t", cell(i))
			}
		}
		fmt.Fprintln(table)
	}
	fmt.Fprintln(table)
	line(func(i int) any { return t.Field(i).Tag.Get("column") })
	sums := make([]any, t.NumField())
	sums[0] = "all"
	for _, r := range rows {
		line(func(i int) any {
			v := reflect.ValueOf(r).Elem().Field(i)
			if v.CanInt() {
				sum, _ := sums[i].(int64)
				sums[i] = sum + v.Int()
			}
			return v
		})
	}
	line(func(i int) any { return sums[i] })
	table.Flush()
}
