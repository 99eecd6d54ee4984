package store_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"hooktape/internal/event"
	"hooktape/internal/store"
)

// where returns the numbers of the events that match an expression, and its error.
func (d db) where(expression string) ([]int, *store.ExpressionError, error) {
	events, err := d.ListEvents(background, event.Selection{Where: expression}, store.Page{Limit: 100})
	fault, _ := errors.AsType[*store.ExpressionError](err)
	return numbers(events), fault, err
}

// TestExpressions verifies that expressions mean what they mean in ClickHouse.
func TestExpressions(t *testing.T) {
	d := newDB(t)
	e := eventAt(dawn, 1)
	e.Name, e.Fields = `it's "so" \ $x$ (a`, map[string]string{"age": "21"}
	d.insert(t, e, eventAt(dawn.Add(time.Second), 2))
	for _, expression := range []string{
		`name = 'it\'s "so" \\ $x$ (a'`,
		`name = 'it''s "so" \\ $x$ (a'`,
		`name = $q$it's "so" \ $x$ (a$q$`,
		`name != '' -- )`,
		"name != '' # ) ' \n",
		"name != '' // )",
		"/* ( ' /* ) */ ; */ name != ''",
		"\"name\" LIKE '%so%' AND `events`.`source` = 'demo'",
		`fields['age'] > '20' AND toString(id)::String != '' AND (1, 2).1 = 1 AND [1, 2][1] = 1 AND 0x1F > 1e-1`,
		`arrayExists(x -> x = '21', mapValues(fields))`,
		`id IN (SELECT id FROM events WHERE name != '' ORDER BY received_at LIMIT 1)`,
		`name != '' OR source = 'SETTINGS'`,
		`if(name = '', false, true)`,
		`name = '' ? false : true`,
		`name != '' AND name != ‘)’ AND @@version != ''`,
	} {
		if got, _, err := d.where(expression); err != nil || len(got) != 1 || got[0] != 1 {
			t.Errorf("%s finds %v, %v", expression, got, err)
		}
	}
}

// TestInvalidExpressions verifies that a text that is not one expression is refused, with the position of the error if
// ClickHouse's parser reports it.
func TestInvalidExpressions(t *testing.T) {
	s := newDB(t)
	for expression, position := range map[string]int{
		"true) UNION ALL SELECT * FROM events WHERE (true": 5,
		"1; DROP TABLE events":                             2,
		"(true":                                            1,
		"true)":                                            5,
		"[1)":                                              1,
		"(1]":                                              1,
		"'я' = 'я":                                         7,
		`name = "a`:                                        8,
		"name = `a":                                        8,
		`'a\'`:                                             1,
		`'a\\' = '\`:                                       9,
		"'a''":                                             1,
		"'a''' = ')":                                       9,
		"true /*":                                          6,
		"true /* /* */":                                    6,
		"true /* */ )":                                     12,
		"true -- \n)":                                      10,
		"true // \n)":                                      10,
		"true #)":                                          6,
		"true --'\n) OR ('":                                16,
		"$x$)$y$":                                          4,
		"$x y$ ) $x y$":                                    7,
		"$ ) $":                                            3,
		"a$x$ = 1":                                         0,
		"$x$a$x$ )":                                        9,
		"id IN (SELECT id FROM events SETTINGS readonly = 0)":  30,
		"id IN (SELECT id FROM events sEttIngs/**/readonly=0)": 30,
		"true SETTINGS max_memory_usage = 0":                   6,
		"name = {p0:String}":                                   8,
		"true \x00)":                                           6,
		"true\u00a0)":                                          6,
		"name = “)”":                                           0,
		"true \\G":                                             6,
		"":                                                     0,
		" ":                                                    2,
		"-- true":                                              8,
	} {
		for name, call := range map[string]func(event.Selection) error{
			"list": func(sel event.Selection) error {
				_, err := s.ListEvents(background, sel, store.Page{Limit: 1})
				return err
			},
			"count": func(sel event.Selection) error { _, err := s.CountEvents(background, sel, 1); return err },
			"plan": func(sel event.Selection) error {
				_, err := s.PlanReplay(background, store.PlanRequest{Selection: sel})
				return err
			},
		} {
			err := call(event.Selection{Where: expression})
			fault, ok := errors.AsType[*store.ExpressionError](err)
			if expression == "" {
				continue // a query parameter that is not set
			}
			if !ok || fault.Position != position {
				t.Errorf("%s %q: %v", name, expression, err)
			}
		}
	}
}

// TestExpressionsAreConfined verifies that expressions cannot write, reach outside or exceed their limits, and that an
// alias in an expression cannot change the query's own conditions.
func TestExpressionsAreConfined(t *testing.T) {
	d := newDB(t)
	refused := eventAt(dawn, 1)
	refused.Verdict = event.BadToken
	d.insert(t, refused, eventAt(dawn.Add(time.Second), 2))
	r := newReplay(1)
	for expression, words := range map[string]string{
		"id IN (SELECT * FROM url('http://127.0.0.1:1/x', 'CSV', 'id UUID'))":       "",
		"id IN (SELECT * FROM file('x.csv', 'CSV', 'id UUID'))":                     "",
		"id IN (SELECT * FROM s3('http://127.0.0.1:1/bucket/x', 'CSV', 'id UUID'))": "",
		"source IN (SELECT dummy FROM remote('127.0.0.1:1', system.one))":           "",
		"id IN (SELECT * FROM executable('x', 'CSV', 'id UUID'))":                   "executable",
		"name = file('/etc/passwd')":                                                "",
		"id IN (SELECT * FROM mysql('127.0.0.1:1', 'a', 'b', 'c', 'd'))":            "",
		"id IN (INSERT INTO events (id) VALUES (generateUUIDv4()))":                 "Syntax error",
		"id IN (SELECT id FROM events INTO OUTFILE 'x')":                            "",
		"true LIMIT 1":                         "Syntax error",
		"true FORMAT CSV":                      "Syntax error",
		"('accepted' AS verdict) = 'accepted'": "",
		"(toUUID('61f0c404-5cb3-11e7-907b-a6006ad3dba0') AS id) != generateUUIDv4()": "",
		"length(arrayJoin(arrayMap(x -> range(1000000), range(1000)))) > 0":          "memory limit",
		"count() > 0": "Aggregate",
		"(1, 2)":      "",
		"no_such = 1": "no_such",
	} {
		r.Selection = event.Selection{Where: expression}
		_, fault, err := d.where(expression)
		if fault == nil || !strings.Contains(strings.ToLower(fault.Text), strings.ToLower(words)) {
			t.Errorf("list %s: %v", expression, err)
		}
		_, err = d.PlanReplay(background, store.PlanRequest{Selection: r.Selection, Endpoint: "crm"})
		if fault, ok := errors.AsType[*store.ExpressionError](err); !ok {
			t.Errorf("plan %s: %v, %v", expression, fault, err)
		}
		if n, err := d.FreezeReplay(background, r); err == nil || n != 0 {
			t.Errorf("freeze %s: %d, %v", expression, n, err)
		} else if _, ok := errors.AsType[*store.ExpressionError](err); !ok {
			t.Errorf("freeze %s: %v", expression, err)
		}
	}
	if n := d.text(t, "SELECT toString(count()) FROM deliveries"); n != "0" {
		t.Errorf("%s deliveries were frozen by refused expressions", n)
	}
	// Rejected events are not sent, whatever the expression says.
	r.Selection = event.Selection{Where: "true OR verdict = 'bad_token'"}
	r.CreatedAt = dawn.Add(time.Hour)
	if n, err := d.FreezeReplay(background, r); err != nil || n != 1 {
		t.Errorf("%d frozen, %v", n, err)
	}
}

// TestFreezingTriesReadOnly verifies that an expression runs read-only before it freezes deliveries, because some
// expressions fail only when they run.
func TestFreezingTriesReadOnly(t *testing.T) {
	d := newDB(t)
	d.insert(t, eventAt(dawn, 1))
	r := newReplay(1)
	r.Selection = event.Selection{Where: "throwIf(getSetting('readonly') != 0, 'seen read-only') = 0"}
	_, err := d.FreezeReplay(background, r)
	if fault, ok := errors.AsType[*store.ExpressionError](err); !ok || !strings.Contains(fault.Text, "seen read-only") {
		t.Errorf("got error %v", err)
	}
	for setting, want := range map[string]string{"readonly": "1", "max_execution_time": "30",
		"max_memory_usage": "1073741824"} {
		if got, _, err := d.where("toString(getSetting('" + setting + "')) = '" + want + "'"); err != nil ||
			len(got) != 1 {
			t.Errorf("setting %s is not %s: %v", setting, want, err)
		}
	}
}

// TestExpressionErrors verifies that an error's position counts within the expression, and that its text contains
// nothing of the surrounding query.
func TestExpressionErrors(t *testing.T) {
	d := newDB(t)
	for expression, want := range map[string]store.ExpressionError{
		"source = = 1": {Text: "Syntax error: failed at position 10: \"= 1\". Expected one of",
			Position: 10},
		"name = 'яё' AND\n source ! 1": {Text: "failed at position 25: \"! 1\"", Position: 25},
		"source =":                     {Text: "failed at position 9: \"\"", Position: 9},
		"no_such_column = 1":           {Text: "no_such_column"},
		"toUInt8('x') = 1":             {Text: "Cannot parse"},
		strings.Repeat("(", 100) + "+": {Position: 1},
	} {
		_, fault, err := d.where(expression)
		if fault == nil || !strings.Contains(fault.Text, want.Text) || want.Position != fault.Position ||
			strings.Contains(fault.Text, "received_at") ||
			strings.HasPrefix(fault.Text, "Code") {
			t.Errorf("%s: %v", expression, err)
		}
	}
	d.exec(t, "DROP TABLE events")
	d.Close()
	if _, fault, err := open(t, "http://127.0.0.1:1/x").where("true"); fault != nil ||
		!errors.Is(err, store.ErrUnavailable) {
		t.Errorf("expression check without a server: %v", err)
	}
}
