package chhttp

import (
	"cmp"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/google/uuid"
)

// request is everything that a client sends besides the text of its statement.
type request struct {
	queryID       string
	database      string
	defaultFormat string
	// revision is that of the Native format that the client reads; 0 is the format of files, which the engine writes.
	revision uint64
	// compress and decompress announce ClickHouse's own compressed blocks in the response and in the request.
	compress, decompress bool
	// whole delays the result until the statement has succeeded.
	whole bool
	// reader reports that the user reader, who only reads, has sent the request.
	reader bool
	// readonly is the engine's setting for this request; if empty the request may write.
	readonly string
	settings map[string]string
	params   map[string]string
}

// reserved are the URL parameters that are not settings.
var reserved = []string{"query", "query_id", "database", "default_format", "client_protocol_version", "compress",
	"decompress", "wait_end_of_query", "user", "password", "quota_key", "buffer_size", "stacktrace"}

var settingName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_.]*$`)

func parseRequest(r *http.Request, reader bool) (*request, error) {
	q := r.URL.Query()
	if strings.HasPrefix(r.Header.Get("Content-Type"), "multipart/form-data") {
		return nil, codeNotImplemented.errorf("External tables are not supported here.")
	}
	if q.Has("session_id") {
		return nil, codeNotImplemented.errorf("HTTP sessions are not supported here: put settings into each request.")
	}
	req := &request{
		reader:        reader,
		queryID:       cmp.Or(q.Get("query_id"), r.Header.Get("X-ClickHouse-Query-Id")),
		database:      cmp.Or(q.Get("database"), r.Header.Get("X-ClickHouse-Database")),
		defaultFormat: cmp.Or(q.Get("default_format"), r.Header.Get("X-ClickHouse-Format"), "TabSeparated"),
		compress:      enabled(q, "compress"),
		decompress:    enabled(q, "decompress"),
		whole:         enabled(q, "wait_end_of_query"),
		settings:      map[string]string{},
		params:        map[string]string{},
	}
	if req.queryID == "" {
		req.queryID = uuid.NewString()
	}
	if v := q.Get("client_protocol_version"); v != "" {
		revision, err := strconv.ParseUint(v, 10, 64)
		if err != nil {
			return nil, codeSyntaxError.errorf("client_protocol_version %q is no number.", v)
		}
		req.revision = revision
	}
	return req, req.parseSettings(q, r.Method)
}

// parseSettings reads all other URL parameters. It checks their form only: the engine decides whether it knows them.
func (req *request) parseSettings(q url.Values, method string) error {
	for name, values := range q {
		value := values[len(values)-1]
		if param, ok := strings.CutPrefix(name, "param_"); ok {
			req.params[param] = value
		} else if slices.Contains(reserved, name) || name == "log_comment" {
			continue
		} else if !settingName.MatchString(name) {
			return codeUnknownSetting.errorf("Unknown setting '%s'.", name)
		} else {
			req.settings[name] = value
		}
	}
	// As in ClickHouse a GET may change settings, but nothing else. The same holds for the reader. A client may only
	// ask for a stricter value.
	req.readonly = req.settings["readonly"]
	delete(req.settings, "readonly")
	if (method != http.MethodPost || req.reader) && req.readonly != "1" {
		req.readonly = "2"
	}
	return nil
}

// setStatement returns one SET of all settings, so that their order does not matter.
func (req *request) setStatement(mark string) string {
	assignments := []string{"log_comment = " + quote(mark)}
	for name, value := range req.settings {
		assignments = append(assignments, name+" = "+quote(value))
	}
	return "SET " + strings.Join(assignments, ", ")
}

func quote(s string) string {
	return "'" + strings.NewReplacer(`\`, `\\`, `'`, `\'`, "\x00", `\0`).Replace(s) + "'"
}

func quoteName(s string) string {
	return "`" + strings.NewReplacer(`\`, `\\`, "`", "\\`").Replace(s) + "`"
}

func enabled(q url.Values, name string) bool { return q.Get(name) != "" && q.Get(name) != "0" }
