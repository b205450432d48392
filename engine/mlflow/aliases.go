package mlflow

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strings"
)

const aliasCall = "registered-models/alias"

// VersionByAlias is the version that an alias names. No such alias is ErrNotFound; a
// server without aliases is ErrNoAliases.
func (c *Client) VersionByAlias(ctx context.Context, model, alias string) (Version, error) {
	var out oneVersion
	err := c.get(ctx, aliasCall, url.Values{"name": {model}, "alias": {alias}}, &out)
	return out.Version.version(), aliasError(err)
}

// SetAlias has an alias name a version, whatever it named before.
func (c *Client) SetAlias(ctx context.Context, model, alias, version string) error {
	return aliasError(c.post(ctx, aliasCall, map[string]string{"name": model, "alias": alias, "version": version}, nil))
}

// DeleteAlias takes an alias away. One that isn't there is ErrNotFound, or no error:
// servers differ.
func (c *Client) DeleteAlias(ctx context.Context, model, alias string) error {
	return aliasError(c.call(ctx, http.MethodDelete, aliasCall, map[string]string{"name": model, "alias": alias}, nil))
}

// aliasError tells a server without aliases, and an alias that isn't there, which
// MLflow calls an invalid value.
func aliasError(err error) error {
	var refused *Error
	if !errors.As(err, &refused) {
		return err
	}
	switch {
	case refused.noEndpoint():
		return errors.Join(ErrNoAliases, err)
	case refused.Code == codeBadValue && strings.Contains(refused.Message, "not found"):
		return errors.Join(ErrNotFound, err)
	}
	return err
}
