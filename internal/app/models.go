package app

import (
	"github.com/goshawk-ai/goshawk/internal/config"
	"github.com/goshawk-ai/goshawk/internal/registry"
)

// Models looks after the models of the data directory, beside a running server
// or without one. It opens nothing yet: each call takes the directory for itself.
func Models(c *config.Config) (*registry.Client, error) {
	builtIn, err := registry.BuiltIns()
	if err != nil {
		return nil, err
	}
	key, err := c.RemoteKey()
	if err != nil {
		return nil, err
	}
	return &registry.Client{Dir: c.Data, BuiltIn: builtIn, Checker: checker(c, key)}, nil
}
