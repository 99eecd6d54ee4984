package alerts

import (
	"context"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"hooktape/internal/testutil/enginetest"
	"hooktape/internal/testutil/storetest"
)

// expanded returns a rule's SQL as versions 3 and 4 of the plugin send it.
func expanded(r rule) []string {
	from := time.Now().Add(-time.Duration(r.Data[0].RelativeTimeRange.From) * time.Second)
	sql := r.Data[0].Model.RawSQL
	return []string{
		strings.ReplaceAll(sql, "$__fromTime", fmt.Sprintf("toDateTime(intDiv(%d,1000))", from.UnixMilli())),
		strings.ReplaceAll(sql, "$__fromTime", fmt.Sprintf("toDateTime(%d)", from.Unix())),
	}
}

// firing returns the labels of the rows whose number is above the rule's threshold. Grafana requires rows of strings,
// which become labels, and one number.
func firing(t *testing.T, conn driver.Conn, r rule, sql string) (labels []string) {
	t.Helper()
	rows, err := conn.Query(context.Background(), sql)
	if err != nil {
		t.Fatalf("run the rule's query: %v\n%s", err, sql)
	}
	defer rows.Close()
	for rows.Next() {
		values := []any{}
		for _, column := range rows.ColumnTypes() {
			values = append(values, reflect.New(column.ScanType()).Interface())
		}
		if err := rows.Scan(values...); err != nil {
			t.Fatal(err)
		}
		if label, number := row(t, values); number > r.Data[1].Model.Conditions[0].Evaluator.Params[0] {
			labels = append(labels, label)
		}
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	slices.Sort(labels)
	return labels
}

// row splits a row into its strings and its number.
func row(t *testing.T, values []any) (label string, number float64) {
	t.Helper()
	numbers := 0
	for _, pointer := range values {
		value := reflect.ValueOf(pointer).Elem()
		switch {
		case value.Kind() == reflect.String:
			label += value.String()
		case value.CanConvert(reflect.TypeFor[float64]()):
			number = value.Convert(reflect.TypeFor[float64]()).Float()
			numbers++
		default:
			t.Fatalf("a row has a %s, want strings and one number", value.Type())
		}
	}
	if numbers != 1 {
		t.Fatalf("a row has %d numbers", numbers)
	}
	return label, number
}

// events returns an INSERT of one request every `every` seconds, from fromHours to toHours ago.
func events(source, verdict string, fromHours, toHours float64, every int) string {
	return fmt.Sprintf("INSERT INTO events (id, received_at, stored_at, source, verdict) SELECT generateUUIDv4(), "+
		"at, at + INTERVAL 1 SECOND, '%s', '%s' FROM "+
		"(SELECT now64(6) - toIntervalSecond(%d) + toIntervalSecond(number * %d) AS at FROM numbers(%d))",
		source, verdict, int(fromHours*3600), every, int((fromHours-toHours)*3600)/every)
}

func delivery(endpoint, state, ago string, version int) string {
	return fmt.Sprintf("INSERT INTO deliveries (endpoint, event_received_at, event_id, state, updated_at, version) "+
		"SELECT '%s', toDateTime64('2026-01-02 03:04:05', 6, 'UTC'),"+
		" toUUID('00000000-0000-0000-0000-000000000001'), '%s', now64(6) - INTERVAL %s, %d", endpoint, state, ago,
		version)
}

func endpointState(endpoint, state, ago string) string {
	return fmt.Sprintf("INSERT INTO endpoint_states (endpoint, state, updated_at) SELECT '%s', '%s', now64(6) - "+
		"INTERVAL %s", endpoint, state, ago)
}

// external inserts n external requests to an endpoint, of so many seconds ago, with the reason of their fallback.
func external(endpoint, fallback string, n, ago int) string {
	return fmt.Sprintf("INSERT INTO attempts (id, event_id, endpoint, kind, fallback, started_at) SELECT "+
		"generateUUIDv4(), generateUUIDv4(), '%s', 'forward', '%s',"+
		" now64(6) - toIntervalSecond(%d) FROM numbers(%d)", endpoint, fallback, ago, n)
}

const days = 24.0

// cases has for each rule rows that must not make it fire, then rows that must, and the labels it fires for.
var cases = map[string]struct {
	calm, alarm []string
	want        []string
}{
	"hooktape-failed-deliveries": {
		calm: []string{
			delivery("crm", "delivered", "1 MINUTE", 12), delivery("sheet", "retrying", "1 MINUTE", 11),
			delivery("old", "failed", "1 HOUR", 12),
			delivery("recovered", "retrying", "2 MINUTE", 11), delivery("recovered", "delivered", "1 MINUTE", 20),
		},
		// The last row is stored twice, as after a crash; it counts as one delivery.
		alarm: []string{delivery("sheet", "failed", "1 MINUTE", 12), delivery("sheet", "failed", "1 MINUTE", 12)},
		want:  []string{"sheet"},
	},
	"hooktape-breaker-open": {
		calm: []string{
			endpointState("crm", "failing", "3 MINUTE"), endpointState("crm", "active", "1 MINUTE"),
			endpointState("gone", "failing", "3 MINUTE"), endpointState("gone", "removed", "1 MINUTE"),
			endpointState("sheet", "paused", "1 MINUTE"),
		},
		alarm: []string{endpointState("crm", "failing", "0 MINUTE")},
		want:  []string{"crm"},
	},
	"hooktape-storing-lag": {
		calm: []string{
			events("shop", "accepted", 1, 0, 60),
			"INSERT INTO events (id, received_at, stored_at) SELECT generateUUIDv4(), now64(6) - INTERVAL 3 HOUR, " +
				"now64(6) - INTERVAL 1 HOUR",
		},
		alarm: []string{"INSERT INTO events (id, received_at, stored_at) SELECT generateUUIDv4(), now64(6) - " +
			"INTERVAL 3 MINUTE, now64(6) - INTERVAL 1 MINUTE"},
		want: []string{""},
	},
	"hooktape-rejected-share": {
		calm: []string{
			events("shop", "accepted", 0.5, 0, 60), events("shop", "bad_token", 0.5, 0, 600), // 3 of 33
			events("few", "bad_token", 0.5, 0, 180),      // 10, and no accepted request
			events("kurs", "unknown_source", 0.5, 0, 10), // unknown sources
			events("before", "bad_signature", 3, 1.5, 10),
		},
		alarm: []string{events("shop", "bad_signature", 0.5, 0, 150)}, // 15 of 45
		want:  []string{"shop"},
	},
	"hooktape-fallback-share": {
		calm: []string{
			external("price", "", 30, 60), external("price", "deadline", 3, 60), // 3 of 33
			external("few", "failing", 9, 60),
			external("before", "refused", 30, 2*3600),
			"INSERT INTO attempts (endpoint, started_at, outcome) SELECT 'crm', now64(6) - INTERVAL 1 MINUTE, " +
				"'timeout' FROM numbers(50)",
		},
		alarm: []string{external("price", "refused", 1, 60), // 5 of 35
			"INSERT INTO attempts (endpoint, kind, started_at, outcome) SELECT 'price', 'forward', now64(6) - " +
				"INTERVAL 1 MINUTE, 'broken_answer'"},
		want: []string{"price"},
	},
	"hooktape-quarantine": {
		alarm: []string{"INSERT INTO quarantine (id, received_at, source) SELECT generateUUIDv4(), now64(6) - " +
			"INTERVAL 40 DAY, 'shop'"},
		want: []string{""},
	},
	"hooktape-source-silent": {
		calm: []string{
			events("busy", "accepted", 34*days, 0, 600),
			events("slow", "accepted", 34*days, 5, 3600), // five are missing
			// Too new for a weekly pattern.
			events("new", "accepted", 13*days, 10, 600),
			// 180 in three hours, never again.
			events("tried once", "accepted", 3*days, 3*days-3, 60),
			// Silent for more than eight days: no longer reported.
			events("ended", "accepted", 34*days, 9*days, 600),
			// Rejected requests do not count.
			events("noise", "accepted", 34*days, 0, 600), events("noise", "bad_token", 34*days, 0, 600),
			// Many requests once, but not every week.
			events("busy once", "accepted", 34*days, 1, 3600), events("busy once", "accepted", 14*days+2, 14*days, 10),
		},
		alarm: []string{
			events("gone", "accepted", 34*days, 3, 600), // eighteen are missing
			events("gone for days", "accepted", 34*days, 5*days, 600),
			// Requests arrive, but with a wrong token.
			events("rejected now", "accepted", 34*days, 3, 600), events("rejected now", "bad_token", 3, 0, 60),
			// No request at this time a week ago either.
			events("rested", "accepted", 34*days, 8*days, 600), events("rested", "accepted", 6*days, 6, 600),
			// Requests once a week, but not today.
			events("mondays", "accepted", 28*days+3, 28*days+1, 60), events("mondays", "accepted", 21*days+3, 21*days+1,
				60),
			events("mondays", "accepted", 14*days+3, 14*days+1, 60), events("mondays", "accepted", 7*days+3, 7*days+1,
				60),
		},
		want: []string{"gone", "gone for days", "mondays", "rejected now", "rested"},
	},
}

// TestRulesFire verifies, with the SQL of both plugin versions, that no rule fires with empty tables or for harmless
// rows, and that each fires for its problem.
func TestRulesFire(t *testing.T) {
	all := rules(t)
	for _, r := range all {
		t.Run(r.UID, func(t *testing.T) {
			c, ok := cases[r.UID]
			if !ok {
				t.Fatal("no case in this test: add rows that make the rule fire")
			}
			conn := enginetest.Connect(t, storetest.DSN(t))
			check := func(when string, want []string) {
				t.Helper()
				for i, sql := range expanded(r) {
					if got := firing(t, conn, r, sql); !slices.Equal(got, want) {
						t.Errorf("%s, with version %d of the plugin: fires for %q, want %q", when, i+3, got, want)
					}
				}
			}
			insert := func(statements []string) {
				t.Helper()
				for _, statement := range statements {
					if err := conn.Exec(context.Background(), statement); err != nil {
						t.Fatalf("%s: %v", statement, err)
					}
				}
			}
			check("with empty tables", nil)
			insert(c.calm)
			check("with harmless rows", nil)
			insert(c.alarm)
			check("with the problem", c.want)
		})
	}
	if len(all) != len(cases) {
		t.Errorf("got %d rules, but cases for %v", len(all), slices.Sorted(maps.Keys(cases)))
	}
}
