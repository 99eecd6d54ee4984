package api

import (
	"encoding/csv"
	"errors"
	"strings"
	"testing"
)

// TestHarmlessCell verifies that a value that a spreadsheet would evaluate becomes text, and that a phone number does
// not change.
func TestHarmlessCell(t *testing.T) {
	for cell, want := range map[string]string{"=1+1": "'=1+1", "@SUM(A1)": "'@SUM(A1)", "+79991234567": "+79991234567",
		"-5": "-5", "-1.5": "-1.5", "+7 (916) 123-45-67": "+7 (916) 123-45-67",
		"-1+cmd|' /C calc'!A0": "'-1+cmd|' /C calc'!A0", "\t=1": "'\t=1", "\r=1": "'\r=1", "＝1": "'＝1", "+1*2": "'+1*2",
		"Анна": "Анна", "": "", "+": "'+", "-": "'-", "+()": "'+()"} {
		if got := harmlessCell(cell); got != want {
			t.Errorf("cell %q became %q, want %q", cell, got, want)
		}
	}
}

// TestCSVIsText verifies that no cell contains invalid UTF-8.
func TestCSVIsText(t *testing.T) {
	var out strings.Builder
	columns, err := AllColumns().Choose([]string{"name", "query", "query_base64", "headers"})
	if err != nil {
		t.Fatal(err)
	}
	c := NewCSV(&out, columns)
	e := Event{Decoded: map[string]string{"name": "a\xff"}, Request: &EventRequest{}}
	e.Request.Query, e.Request.QueryBase64 = split([]byte("\xf1\xff"))
	if err := c.Write(&e); err != nil {
		t.Fatal(err)
	}
	if err := c.Flush(); err != nil {
		t.Fatal(err)
	}
	if want := "name,query,query_base64,headers\na\uFFFD,,8f8=,null\n"; out.String() != want {
		t.Errorf("%q, want %q", out.String(), want)
	}
}

// TestDeliveryCSV: an answer that a spreadsheet would run is harmless, and what a delivery lacks is empty.
func TestDeliveryCSV(t *testing.T) {
	var out strings.Builder
	c := NewCSV(&out, DeliveryColumns())
	d := Delivery{ID: "x", Endpoint: "crm", State: "failed", Answer: "=HYPERLINK(\"http://evil\")",
		Error: "@SUM(1)\x00"}
	if err := errors.Join(c.Write(&d), c.Flush()); err != nil {
		t.Fatal(err)
	}
	rows, err := csv.NewReader(strings.NewReader(out.String())).ReadAll()
	if err != nil || len(rows) != 2 || len(rows[1]) != len(DeliveryColumns()) {
		t.Fatalf("%d rows, %v", len(rows), err)
	}
	row := map[string]string{}
	for i, name := range rows[0] {
		row[name] = rows[1][i]
	}
	if row["answer"] != "'"+d.Answer || row["error"] != "'"+d.Error || row["replay_id"] != "" ||
		row["status_code"] != "" || row["next_at"] != "" || row["waiting"] != "" {
		t.Errorf("the row is %q", row)
	}
}
