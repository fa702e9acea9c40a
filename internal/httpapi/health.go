package httpapi

import (
	"errors"
	"net/http"

	"github.com/goshawk-ai/goshawk/internal/problem"
)

type health struct {
	Status string `json:"status"`
}

func (d *door) livez(x *exchange, r *http.Request) error {
	return x.document(r, health{Status: "live"})
}

func (d *door) readyz(x *exchange, r *http.Request) error {
	if err := d.Ready(); err != nil {
		return notReady(err)
	}
	return x.document(r, health{Status: "ready"})
}

// notReady shows the sentence of whoever is not ready.
func notReady(err error) error {
	if p, ok := errors.AsType[*problem.Problem](err); ok && p.Kind.Status == http.StatusServiceUnavailable {
		return p
	}
	return problem.ModelUnhealthy.New("not ready: %s", err).Because(err)
}

func (d *door) openAPI(x *exchange, r *http.Request) error {
	if err := onlyJSON(r); err != nil {
		return err
	}
	spec, err := d.spec()
	if err != nil {
		return err
	}
	x.send(r, http.StatusOK, jsonType, spec)
	return nil
}
