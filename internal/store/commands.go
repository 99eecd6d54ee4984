package store

import (
	"context"
	"fmt"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"github.com/google/uuid"

	"hooktape/internal/event"
)

// AddCommand stores a command to a replay or an endpoint. Its number is greater than those of all stored commands to
// the target: the last command counts, whatever the clocks said.
func (s *Store) AddCommand(ctx context.Context, c event.Command) error {
	v := &conditions{}
	target := v.bind("String", c.Target)
	sql := fmt.Sprintf(`INSERT INTO commands (target, action, rate, by, reason, events, number)
		SELECT %s, %s, %s, %s, %s, %s, (SELECT max(number) + 1 FROM commands WHERE target = %s)`, target, v.bind("String", string(c.Action)),
		v.bind("Float64", c.Rate), v.bind("String", c.By), v.bind("String", c.Reason),
		v.bind("Array(UUID)", uuidStrings(c.Events)), target)
	return explain("add a command to "+c.Target, s.conn.Exec(ctx, sql, v.args...))
}

// Steered is the combined effect of the commands to one target.
type Steered struct {
	// Action is the last of pause, resume and cancel, with its own Why, Number and At; zero if there was none.
	Action event.Action
	Why    string // who gave it, and the reason
	Number uint64 // grows with each command to the target
	At     time.Time
	// Rate is the last rate set; nil if none was, because 0 means no limit.
	Rate *float64
	// Retries has the keys of the commands to try deliveries now that were given in the day before they were read; see
	// Store.RetryCommands.
	Retries []uint64
}

// recentRetry is the condition for a command to try deliveries now: one of the last day, by the server's clock. Without
// an end they would be read again at each start.
const recentRetry = "action = 'retry' AND at >= now() - INTERVAL 1 DAY"

// commandKey identifies a command. Its target and number do not: two commands at once may have the same.
const commandKey = "cityHash64(target, number, at, by)"

// lastCommands is a subquery with one row per target of a command. No command undoes a cancel, for example a concurrent
// pause by another person or by a rule.
const lastCommands = `(SELECT target, last.1 AS action, if(last.3 = '', 'by ' || last.2, last.3 || ' (by ' || last.2 || ')') AS why, last.4 AS number, last.5 AS at, rate_set, rate, retries, mark FROM
	(SELECT target, argMaxIf((action, by, reason, number, at), (action = 'cancel', number, at), action NOT IN ('set-rate', 'retry')) AS last,
		countIf(action = 'set-rate') > 0 AS rate_set, argMaxIf(rate, (number, at), action = 'set-rate') AS rate, sum(` + commandKey + `) AS mark, groupUniqArrayIf(` + commandKey + `, ` + recentRetry + `) AS retries
	FROM commands GROUP BY target))`

// CommandsMark tells sets of commands apart: it is the sum of their keys.
type CommandsMark uint64

// CommandsMark returns the mark of all commands. That takes the server a third of the time of Steering.
func (s *Store) CommandsMark(ctx context.Context) (m CommandsMark, err error) {
	err = s.conn.QueryRow(ctx, "SELECT sum("+commandKey+") FROM commands").Scan((*uint64)(&m))
	return m, explain("read commands", err)
}

// Steering returns the combined commands of each target, by its name or id, and the mark of the commands that it has
// combined.
func (s *Store) Steering(ctx context.Context) (_ map[string]Steered, mark CommandsMark, err error) {
	type row struct {
		target string
		Steered
		mark CommandsMark
	}
	rows, err := collect(ctx, s.conn, "read commands",
		"SELECT target, action, why, number, at, rate_set, rate, retries, mark FROM "+lastCommands, nil,
		func(rows driver.Rows, r *row) error {
			var set uint8
			var rate float64
			err := rows.Scan(&r.target, (*string)(&r.Action), &r.Why, &r.Number, &r.At, &set, &rate, &r.Retries,
				(*uint64)(&r.mark))
			if set != 0 {
				r.Rate = &rate
			}
			return err
		})
	steering := make(map[string]Steered, len(rows))
	for _, r := range rows {
		steering[r.target] = r.Steered
		mark += r.mark
	}
	return steering, mark, err
}

// RetryCommand is a command to try deliveries now.
type RetryCommand struct {
	Key    uint64
	At     time.Time // deliveries that were tried later are not concerned
	Events []uuid.UUID
}

// RetryCommands returns the commands to a target with the given keys, in their order.
func (s *Store) RetryCommands(ctx context.Context, target string, keys []uint64) ([]RetryCommand, error) {
	where := &conditions{}
	where.add("target = {}", "String", target)
	where.add(commandKey+" IN {}", "Array(UInt64)", keys)
	return collect(ctx, s.conn, "read commands", "SELECT "+commandKey+", at, events FROM commands WHERE "+where.String()+
		" ORDER BY number", where.args, func(rows driver.Rows, c *RetryCommand) error {
		return rows.Scan(&c.Key, &c.At, &c.Events)
	})
}
