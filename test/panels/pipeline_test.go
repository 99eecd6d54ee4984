package panels_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"

	"hooktape/dashboards"
)

const pipeline = "hooktape-pipeline"

// spans returns some hours of a process's spans: requests, inserts and attempts with known durations. Some of each
// fail.
func spans() (list tracetest.SpanStubs) {
	chance := rand.New(rand.NewPCG(3, 4))
	for i := range 1200 {
		at := until.Add(-4 * time.Hour).Add(time.Duration(i) * 11 * time.Second)
		id := trace.NewSpanContext(trace.SpanContextConfig{TraceID: trace.TraceID{1, byte(i >> 8), byte(i)},
			SpanID: trace.SpanID{1, byte(i >> 8), byte(i)}})
		s := tracetest.SpanStub{SpanContext: id, StartTime: at,
			EndTime: at.Add(time.Duration(chance.IntN(50_000)) * time.Microsecond), SpanKind: trace.SpanKindInternal}
		switch i % 4 {
		case 0, 1:
			s.Name, s.SpanKind = "POST /hooks/:source/:token/*step", trace.SpanKindServer
			s.Attributes = []attribute.KeyValue{attribute.String("hooktape.source", "course")}
			if i%8 > 0 { // the others were not stored
				s.Attributes = append(s.Attributes, attribute.Int("hooktape.append.duration_us", chance.IntN(9000)+1))
			}
			if i%16 == 1 { // it waited for an endpoint
				s.EndTime = s.EndTime.Add(8 * time.Second)
				s.Attributes = append(s.Attributes, attribute.String("hooktape.endpoint", "backend"))
			}
		case 2:
			s.Name = "drain insert"
			s.Attributes = []attribute.KeyValue{attribute.Int("hooktape.batch.rows", chance.IntN(5000)+1)}
		case 3:
			s.Name, s.SpanKind = "deliver", trace.SpanKindClient
			s.Attributes = []attribute.KeyValue{attribute.String("hooktape.endpoint", "crm"),
				attribute.Int("hooktape.attempt", 1)}
			if i%8 == 3 {
				s.Name = "forward"
			}
		}
		if chance.IntN(10) == 0 {
			s.Status = sdktrace.Status{Code: codes.Error, Description: "it failed"}
		}
		list = append(list, s)
	}
	return list
}

// TestPipelineTruth compares the pipeline's dashboard with generated spans whose numbers are counted in Go.
func TestPipelineTruth(t *testing.T) {
	db, stored := empty(t)
	list := spans()
	if err := stored.SpanExporter().ExportSpans(context.Background(), list.Snapshots()); err != nil {
		t.Fatal(err)
	}
	for _, plugin := range []int{3, 4} {
		for _, hours := range []int{1, 5} {
			t.Run(fmt.Sprintf("plugin %d/%d hours", plugin, hours), func(t *testing.T) {
				t.Parallel()
				c := comparison{t: t, db: db, view: dashboards.View{From: until.Add(-time.Duration(hours) * time.Hour),
					To: until, Zone: "UTC", Plugin: plugin, Interval: 10 * time.Minute}}
				c.pipeline(list)
			})
		}
	}
}

// series maps times to the values of their interval.
type series map[int64][]float64

func (s series) add(at time.Time, n float64) {
	s[at.Unix()/600*600] = append(s[at.Unix()/600*600], n)
}

func (s series) all() (list []float64) {
	for _, numbers := range s {
		list = append(list, numbers...)
	}
	return list
}

func (c comparison) pipeline(list tracetest.SpanStubs) {
	answers, appends, inserts, batches := series{}, series{}, series{}, series{}
	failed, ours, theirs := map[string]int{}, 0, 0
	words := map[string]string{"deliver": "delivery attempt", "forward": "external request", "drain insert": "insert",
		"POST /hooks/:source/:token/*step": "response to BotHelp"}
	for _, s := range list {
		if !c.within(s.StartTime) {
			continue
		}
		of := attribute.NewSet(slices.Clone(s.Attributes)...) // NewSet sorts its argument
		ms := float64(s.EndTime.Sub(s.StartTime).Microseconds()) / 1000
		switch s.Name {
		case "drain insert":
			rows, _ := of.Value("hooktape.batch.rows")
			inserts.add(s.StartTime, ms)
			batches.add(s.StartTime, float64(rows.AsInt64()))
		case "deliver", "forward":
		default:
			if _, waited := of.Value("hooktape.endpoint"); !waited {
				answers.add(s.StartTime, ms)
			}
			if us, kept := of.Value("hooktape.append.duration_us"); kept {
				appends.add(s.StartTime, float64(us.AsInt64())/1000)
			}
		}
		_, endpoint := of.Value("hooktape.endpoint")
		if attempt := s.Name == "deliver" || s.Name == "forward"; s.Status.Code == codes.Error &&
			(attempt || !endpoint) {
			failed[fmt.Sprint(s.StartTime.Unix()/600*600, " ", words[s.Name])]++
			if attempt {
				theirs++
			} else {
				ours++
			}
		}
	}
	c.compareStats("Response time", answers)
	c.compareStats("Disk write time", appends)
	c.compareSeries("Response time over time", answers)
	c.compareSeries("Disk write time over time", appends)
	c.compareSeries("Insert duration over time", inserts)
	got := c.see(pipeline, "Inserts")[0]
	if s, want := fmt.Sprintf("%.3f %.3f", got.f("Batch size"), got.f("p95")), fmt.Sprintf("%.3f %.3f",
		average(batches.all()), quantile(inserts.all(), 0.95)); s != want {
		c.t.Errorf("inserts: %s, want %s", s, want)
	}
	c.equal("batches", lines(c.see(pipeline, "Batch size over time"), func(r row) string {
		return fmt.Sprintf("%d %.3f %d", c.unix(r), r.f("Average"), r.n("Maximum"))
	}), byKey(batches, func(at int64, rows []float64) string {
		return fmt.Sprintf("%d %.3f %.0f", at, average(rows), quantile(rows, 1))
	}))
	c.equal("errors", lines(c.see(pipeline, "Errors over time"), func(r row) string {
		return fmt.Sprint(c.unix(r), " ", r.s("series"), " ", r.n("errors"))
	}),
		byKey(failed, func(what string, n int) string { return fmt.Sprint(what, " ", n) }))
	trouble := c.see(pipeline, "Errors")[0]
	if trouble.n("hooktape") != uint64(ours) || trouble.n("Endpoints") != uint64(theirs) || ours*theirs == 0 {
		c.t.Errorf("errors: %v, want %d of hooktape and %d of endpoints", trouble, ours, theirs)
	}
	slowest := c.see(pipeline, "Slowest operations")
	if got, want := slowest[0].f("Duration"), max(quantile(answers.all(), 1),
		quantile(inserts.all(), 1)); len(slowest) != 60 || got < want {
		c.t.Errorf("%d slowest operations, the first took %v; want 60, the first at least %v", len(slowest), got, want)
	}
}

// compareStats compares a panel of two numbers with the truth; compareSeries one of three lines over time.
func (c comparison) compareStats(title string, want series) {
	got := c.see(pipeline, title)[0]
	if s, want := numbers(got.f("Median"), got.f("p99")), numbers(quantile(want.all(), 0.5),
		quantile(want.all(), 0.99)); s != want {
		c.t.Errorf("%s: %s, want %s", title, s, want)
	}
}

func (c comparison) compareSeries(title string, want series) {
	c.equal(title, lines(c.see(pipeline, title), func(r row) string {
		return fmt.Sprint(c.unix(r), numbers(r.f("Median"), r.f("p95"), r.f("p99")))
	}), byKey(want, func(at int64, ms []float64) string {
		return fmt.Sprint(at, numbers(quantile(ms, 0.5), quantile(ms, 0.95), quantile(ms, 0.99)))
	}))
}

// numbers formats numbers so that a difference in the last bits does not show.
func numbers(list ...float64) (text string) {
	for _, n := range list {
		text += fmt.Sprintf(" %.3f", n+1e-7)
	}
	return text
}

func average(list []float64) float64 {
	sum := 0.0
	for _, n := range list {
		sum += n
	}
	return sum / float64(len(list))
}
