package push

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"

	"github.com/rogpeppe/go-internal/diff"
)

// Result is the result for one object; in a dry run, the expected one.
type Result string

// The results.
const (
	Created   Result = "created"
	Updated   Result = "updated"
	Unchanged Result = "unchanged"
	// Refused: the object is not hooktape's, or Grafana rejected it. Note has the reason.
	Refused Result = "refused"
)

// Change is the result for one object.
type Change struct {
	Result Result `json:"result"`
	Kind   string `json:"kind"` // "data source", "folder" or "dashboard"
	Title  string `json:"title"`
	UID    string `json:"uid"`
	Note   string `json:"note,omitempty"`
	// Diff is the unified diff from Grafana's object to the new one, in a dry run.
	Diff string `json:"diff,omitempty"`
}

func (c Change) as(r Result) Change {
	c.Result = r
	return c
}

func (c Change) refused(why string) Change {
	c.Note = why
	return c.as(Refused)
}

// settle turns Grafana's refusal of one object into a change. Any other error ends the push.
func (c Change) settle(err error) (Change, error) {
	refused, ok := errors.AsType[*refusal](err)
	switch {
	case !ok:
		return c, err
	case refused.status == http.StatusPreconditionFailed && refused.kind == "version-mismatch":
		return c.refused("it was changed at the same time; push again"), nil
	case refused.status == http.StatusBadRequest, refused.status == http.StatusConflict,
		refused.status == http.StatusPreconditionFailed:
		return c.refused("Grafana rejected it: " + refused.message), nil
	}
	return c, err
}

// compare returns the unified diff between two models; theirs is nil for a new object.
func compare(uid string, theirs, ours map[string]any) (string, error) {
	from, before, err := "/dev/null", []byte(nil), error(nil)
	if theirs != nil {
		from = "grafana/" + uid + ".json"
		if before, err = pretty(theirs); err != nil {
			return "", err
		}
	}
	after, err := pretty(ours)
	return string(diff.Diff(from, before, "hooktape/"+uid+".json", after)), err
}

// pretty formats a model for a diff: with sorted keys, and with SQL's < and > unescaped.
func pretty(model map[string]any) ([]byte, error) {
	var text bytes.Buffer
	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	if err := encoder.Encode(model); err != nil {
		return nil, fmt.Errorf("compare: %w", err)
	}
	return text.Bytes(), nil
}
