package store

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"github.com/google/uuid"

	"hooktape/internal/event"
)

// replayColumns are the columns of replays in the order in which SaveReplay writes and scanReplay reads them.
var replayColumns = []string{
	"id", "created_at", "updated_at", "created_by", "state", "reason", "endpoint", "url", "selection", "total",
	"rate", "concurrency", "event_order", "mode", "retry", "max_attempts", "pace", "stop_after_failures", "headers",
	"idempotency_key", "counts", "per_second", "public_only",
	"include_rejected", "parent", "retries",
}

// SaveReplay stores a replay. UpdatedAt orders its states; SaveProgress stores the next ones.
func (s *Store) SaveReplay(ctx context.Context, r event.Replay) error {
	selection, retries, err := selectionTexts(r)
	if err != nil {
		return err
	}
	return s.insert(ctx, "", "replays ("+strings.Join(replayColumns, ", ")+")", func(batch driver.Batch) error {
		return batch.Append(r.ID, r.CreatedAt, r.UpdatedAt, r.CreatedBy, string(r.State), r.Reason, r.Endpoint, r.URL,
			selection, r.Total,
			r.Rate, r.Concurrency, string(r.Order), string(r.Mode), string(r.Retry), r.MaxAttempts, r.Pace,
			r.StopAfterFailures, headerTuples(r.Headers),
			r.IdempotencyKey, countsOf(r), r.PerSecond, r.PublicOnly, r.IncludeRejected, r.Parent, retries)
	})
}

// SaveProgress stores the state, the rate and the counts of a replay, with its other columns as they are: the selection
// may have megabytes, and progress is stored every two seconds.
func (s *Store) SaveProgress(ctx context.Context, r event.Replay) error {
	c := &conditions{}
	changed := map[string]string{
		"updated_at": c.bindTime(r.UpdatedAt),
		"state":      c.bind("String", string(r.State)),
		"reason":     c.bind("String", r.Reason),
		"rate":       c.bind("Float64", r.Rate),
		"counts":     c.bind("Map(String, UInt64)", countsOf(r)),
		"per_second": c.bind("Float64", r.PerSecond),
	}
	values := slices.Clone(replayColumns)
	for i, column := range values {
		values[i] = cmp.Or(changed[column], column)
	}
	c.add("id = {}", "UUID", r.ID.String())
	return explain("save the progress of a replay", s.conn.Exec(ctx, fmt.Sprintf(
		"INSERT INTO replays (%s) SELECT %s FROM replays FINAL WHERE %s", strings.Join(replayColumns, ", "),
		strings.Join(values, ", "), c), c.args...))
}

func countsOf(r event.Replay) map[string]uint64 {
	counts := make(map[string]uint64, len(r.Counts))
	for state, n := range r.Counts {
		counts[string(state)] = n
	}
	return counts
}

// selectionTexts returns a replay's selections as JSON; retries is empty for a replay of events.
func selectionTexts(r event.Replay) (selection, retries string, err error) {
	text, err := json.Marshal(r.Selection)
	if err == nil && r.Retries != nil {
		var more []byte
		more, err = json.Marshal(r.Retries)
		retries = string(more)
	}
	if err != nil {
		return "", "", fmt.Errorf("save replay: %w", err)
	}
	return string(text), retries, nil
}

// Replays returns replays, the newest first; with before, only those created before that one (ErrNotFound if it does
// not exist); with states, only those in one of them. Like Replay and ReplayByKey it applies commands whether or not
// the process that delivers has seen them.
func (s *Store) Replays(ctx context.Context, before uuid.UUID, limit int, states ...event.ReplayState) ([]event.Replay,
	error) {
	where := &conditions{}
	addIn(where, "state", states)
	if before != uuid.Nil {
		r, err := s.Replay(ctx, before)
		if err != nil {
			return nil, err
		}
		where.require(fmt.Sprintf("(created_at, id) < (%s, %s)", where.bindTime(r.CreatedAt),
			where.bind("UUID", before.String())))
	}
	return s.steeredReplays(ctx, where, fmt.Sprintf("created_at DESC, id DESC LIMIT %d", limit))
}

// Replay returns one replay, or ErrNotFound.
func (s *Store) Replay(ctx context.Context, id uuid.UUID) (event.Replay, error) {
	where := &conditions{}
	where.add("id = {}", "UUID", id.String())
	replays, err := s.steeredReplays(ctx, where, "created_at LIMIT 1")
	return first(replays, err, "replay "+id.String())
}

// ReplayByKey returns the first replay created with an idempotency key, or ErrNotFound.
func (s *Store) ReplayByKey(ctx context.Context, key string) (event.Replay, error) {
	where := &conditions{}
	where.add("idempotency_key = {} AND idempotency_key != ''", "String", key)
	replays, err := s.steeredReplays(ctx, where, "created_at, id LIMIT 1")
	return first(replays, err, "replay with that idempotency key")
}

// ReplaysByKeys returns the replays whose idempotency keys begin with a text.
func (s *Store) ReplaysByKeys(ctx context.Context, beginning string) ([]event.Replay, error) {
	where := &conditions{}
	where.add("startsWith(idempotency_key, {})", "String", beginning)
	return s.steeredReplays(ctx, where, "created_at, id")
}

// LastReplayOf returns the last replay with the endpoint and the selections of another one; the zero Replay if there is
// none. Of a selection's time it must share the greater part: the same click, a minute later, has another end.
func (s *Store) LastReplayOf(ctx context.Context, r event.Replay) (event.Replay, error) {
	timeless := r
	timeless.Selection.From, timeless.Selection.Until = nil, nil
	selection, retries, err := selectionTexts(timeless)
	if err != nil {
		return event.Replay{}, err
	}
	where := &conditions{}
	where.add("endpoint = {}", "String", r.Endpoint)
	sum := sha256.Sum256([]byte(selection + retries)) // a selection may be too long for a parameter
	where.add("lower(hex(SHA256(concat("+withoutRange+", retries)))) = {}", "String", hex.EncodeToString(sum[:]))
	replays, err := s.steeredReplays(ctx, where, fmt.Sprint("created_at DESC LIMIT ", maxSameReplays))
	if err != nil {
		return event.Replay{}, err
	}
	for _, before := range replays {
		if coversMost(before, r) {
			return before, nil
		}
	}
	return event.Replay{}, nil
}

// maxSameReplays is the number of replays with the same filters whose times are compared.
const maxSameReplays = 50

// withoutRange is the text of a stored selection without from, and without until, whose old name to is the last.
const withoutRange = `replaceRegexpOne(replaceRegexpAll(selection, '"(from|until|to)":"[^"]*",?', ''), ',}$', '}')`

// coversMost reports whether a replay had the greater part of the time that another one selects.
func coversMost(before, r event.Replay) bool {
	bounds := func(r event.Replay) (from, until time.Time) {
		from, until = time.Unix(0, 0), r.CreatedAt
		if r.Selection.From != nil {
			from = *r.Selection.From
		}
		if r.Selection.Until != nil {
			until = *r.Selection.Until
		}
		return from, until
	}
	r.CreatedAt = time.Now()
	from, until := bounds(r)
	first, last := bounds(before)
	if first.Before(from) {
		first = from
	}
	if last.After(until) {
		last = until
	}
	return 2*last.Sub(first) >= until.Sub(from)
}

// Unfinished is a running or paused replay.
type Unfinished struct {
	event.Replay                   // with commands applied
	Saved        event.ReplayState // by the process that delivers
}

// UnfinishedReplays returns the replays that the process that delivers has saved as running or paused, in order of
// creation. They lack their selections, which may have megabytes and are frozen.
func (s *Store) UnfinishedReplays(ctx context.Context) ([]Unfinished, error) {
	// Mostly there are none. To find that out without commands takes the server a quarter of the time.
	var count uint64
	err := s.conn.QueryRow(ctx, "SELECT count() FROM replays FINAL WHERE NOT "+finalReplay).Scan(&count)
	if err != nil || count == 0 {
		return nil, explain("read replays", err)
	}
	columns := strings.Join(replayColumns, ", ")
	columns = strings.Replace(columns, "selection", "'{}' AS no_selection", 1)
	columns = strings.Replace(columns, "retries", "'' AS no_retries", 1)
	return collect(ctx, s.conn, "read replays", "SELECT "+columns+", saved FROM "+steeredReplays+
		" WHERE NOT "+inStates("saved", event.FinalReplayStates)+" ORDER BY created_at, id", nil,
		func(rows driver.Rows, u *Unfinished) error { return scanReplay(rows, &u.Replay, (*string)(&u.Saved)) })
}

// steeredReplays is a subquery of replays with the last command to each applied; saved is the state without it. A
// final replay does not change. Only this expression defines the effect of commands.
var steeredReplays = `(SELECT r.* REPLACE (
			multiIf(` + finalSaved + `, r.state, c.action = 'cancel', 'cancelled', c.action = 'pause', 'paused', c.action = 'resume', 'running', r.state) AS state,
			multiIf(` + finalSaved + ` OR c.action = '', r.reason, c.action = 'resume', '', c.why) AS reason,
			if(c.rate_set, c.rate, r.rate) AS rate)
		FROM (SELECT *, state AS saved FROM (SELECT * REPLACE (` + endState + ` AS state) FROM replays FINAL)) AS r LEFT JOIN ` + lastCommands + ` AS c ON c.target = toString(r.id))`

// endState is the state of a row of replays: versions before 53 wrote done for both ends.
const endState = "multiIf(state != 'done', state, counts['failed'] > 0, 'completed_with_failures', 'completed')"

// finalSaved is the condition that a replay is final without commands.
var finalSaved = inStates("r.state", event.FinalReplayStates)

func (s *Store) steeredReplays(ctx context.Context, where *conditions, order string) ([]event.Replay, error) {
	return collect(ctx, s.conn, "read replays", fmt.Sprintf("SELECT %s FROM %s WHERE %s ORDER BY %s",
		strings.Join(replayColumns, ", "), steeredReplays, where, order),
		where.args, func(rows driver.Rows, r *event.Replay) error { return scanReplay(rows, r) })
}

// scanReplay reads replayColumns and the columns after them.
func scanReplay(rows driver.Rows, r *event.Replay, more ...any) error {
	var selection, retries string
	var headers []map[string]any
	counts := map[string]uint64{}
	if err := rows.Scan(append([]any{&r.ID, &r.CreatedAt, &r.UpdatedAt, &r.CreatedBy, (*string)(&r.State), &r.Reason,
		&r.Endpoint, &r.URL, &selection, &r.Total,
		&r.Rate, &r.Concurrency, (*string)(&r.Order), (*string)(&r.Mode), (*string)(&r.Retry), &r.MaxAttempts, &r.Pace,
		&r.StopAfterFailures, &headers,
		&r.IdempotencyKey, &counts, &r.PerSecond, &r.PublicOnly, &r.IncludeRejected, &r.Parent,
		&retries},
		more...)...); err != nil {
		return err
	}
	if len(headers) > 0 {
		r.Headers = headersFrom(headers)
	}
	if len(counts) > 0 {
		r.Counts = typed[event.DeliveryState](counts)
	}
	if err := json.Unmarshal([]byte(selection), &r.Selection); err != nil {
		return fmt.Errorf("replay %s: read its selection: %w", r.ID, err)
	}
	if retries != "" {
		if err := json.Unmarshal([]byte(retries), &r.Retries); err != nil {
			return fmt.Errorf("replay %s: read its selection of deliveries: %w", r.ID, err)
		}
	}
	return nil
}

// first returns the first element of a list that was read with err, or ErrNotFound.
func first[T any](list []T, err error, what string) (one T, _ error) {
	if err != nil {
		return one, err
	}
	if len(list) == 0 {
		return one, fmt.Errorf("%s: %w", what, ErrNotFound)
	}
	return list[0], nil
}
