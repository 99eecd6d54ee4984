package console

import (
	"net/http"
	"slices"
	"strings"
	"time"

	"hooktape/internal/event"
	"hooktape/internal/redact"
	"hooktape/web/api"
)

func (c *console) sourcesRoutes(mux *http.ServeMux) {
	mux.Handle("GET /sources", c.page(showSources))
	mux.Handle("POST /sources/{name}/reveal", c.page(revealSource))
}

// figuresSince is how far back the figures of sources and endpoints go.
const figuresSince = 24 * time.Hour

type sourcesPage struct {
	Sources   []sourceCard
	Strangers []sourceCard // names that came and are no source
	Most      int          // of strangers that are shown
	MayReveal bool
}

// maxStrangers is how many names that are no source are shown: those with the most requests.
const maxStrangers = 20

type sourceCard struct {
	Source
	Figures  api.SourceFigures
	Last     moment
	LastID   string // of the last event
	Rejected []rejection
	PerHour  string
	Revealed bool // HookURL has the token
}

// shownSource is a card, and whether the visitor may see the token.
type shownSource struct {
	MayReveal bool
	Card      sourceCard
}

type rejection struct {
	Verdict event.Verdict
	Count   uint64
	URL     string
}

// Masked is the hook's URL without its token.
func (s Source) Masked() string {
	i := strings.LastIndexByte(s.HookURL, '/')
	return s.HookURL[:i+1] + redact.Mask
}

func showSources(v *visit) error { return v.sourcesPage("") }

// revealSource shows a hook's URL with its token. It is written down who has seen it.
func revealSource(v *visit) error {
	name := v.PathValue("name")
	if !slices.ContainsFunc(v.Sources(), func(s Source) bool { return s.Name == name }) {
		return notFound("there is no source %q in the configuration", name)
	}
	if err := v.direct.RevealSource(v.Context(), name); err != nil {
		return err
	}
	return v.sourcesPage(name)
}

func (v *visit) sourcesPage(reveal string) error {
	sources := v.Sources()
	var names []string
	for _, s := range sources {
		names = append(names, s.Name)
	}
	figures, err := v.direct.SourceFigures(v.Context(), v.now.Add(-figuresSince), names, len(names)+maxStrangers)
	if err != nil {
		return err
	}
	p := sourcesPage{MayReveal: v.who.Role.Covers(api.RoleAdmin), Most: maxStrangers}
	for _, s := range sources {
		card, err := v.sourceCard(s, figures)
		if err != nil {
			return err
		}
		card.Revealed = s.Name == reveal
		p.Sources = append(p.Sources, card)
	}
	for _, f := range figures {
		if !slices.Contains(names, f.Source) {
			card, err := v.sourceCard(Source{Name: f.Source}, []api.SourceFigures{f})
			if err != nil {
				return err
			}
			if len(card.Rejected) > 0 {
				p.Strangers = append(p.Strangers, card)
			}
		}
	}
	return v.show("sources", "Sources", p)
}

func (v *visit) sourceCard(s Source, figures []api.SourceFigures) (sourceCard, error) {
	card := sourceCard{Source: s}
	if i := slices.IndexFunc(figures, func(f api.SourceFigures) bool { return f.Source == s.Name }); i >= 0 {
		card.Figures = figures[i]
	}
	f := card.Figures
	card.PerHour = perHour(f.Accepted)
	last, id := f.Last, f.LastID
	if last.IsZero() && s.HookURL != "" {
		var err error
		if last, id, err = v.direct.LastEvent(v.Context(), s.Name); err != nil {
			return card, err
		}
	}
	if !last.IsZero() {
		card.Last, card.LastID = v.at(last), id.String()
	}
	for _, verdict := range event.Verdicts {
		if n := f.Verdicts[verdict]; n > 0 {
			card.Rejected = append(card.Rejected, rejection{verdict, n, link("/", map[string][]string{"source": {s.Name}, "verdict": {string(verdict)}, "since": {"24h"}})})
		}
	}
	return card, nil
}

// perHour is a rate in words, of a count over figuresSince.
func perHour(n uint64) string {
	perHour := float64(n) / figuresSince.Hours()
	switch {
	case n == 0:
		return "0"
	case perHour < 1:
		return "less than 1"
	}
	return number(uint64(perHour + 0.5))
}
