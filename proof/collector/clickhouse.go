package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"hooktape/proof/rig"
)

// database is one of an engine's, asked over its HTTP interface, as Grafana and curl do.
type database struct{ url string }

func databaseOf(e *rig.Engine, name string) database {
	u, _ := url.Parse(e.DSN(name)) // the engine has made it
	return database{"http://" + u.User.String() + "@" + u.Host + "/?database=" + name}
}

// text is the answer to a query, as ClickHouse writes it in TSV.
func (d database) text(ctx context.Context, sql string) (string, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, d.url+"&default_format=TSVRaw", strings.NewReader(sql))
	if err != nil {
		return "", err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return "", err
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(response.Body)
	if err == nil && response.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %s", sql, answer)
	}
	return strings.TrimSpace(string(answer)), err
}

// lines are the rows of an answer.
func (d database) lines(ctx context.Context, sql string) ([]string, error) {
	text, err := d.text(ctx, sql)
	if text == "" {
		return nil, err
	}
	return strings.Split(text, "\n"), err
}

// number is an answer of one.
func (d database) number(ctx context.Context, sql string) (int, error) {
	text, err := d.text(ctx, sql)
	if err != nil {
		return 0, err
	}
	return strconv.Atoi(text)
}
