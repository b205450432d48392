package app

import (
	"cmp"
	"fmt"
	"os"

	"k8s.io/client-go/rest"

	"github.com/scanflow-k8s/scanflow/engine/installation"
)

// openInstallation finds out which installation this process belongs to. On a cluster all
// replicas and shards belong to the same one, though they share no folder.
func (a *App) openInstallation() error {
	if err := os.MkdirAll(a.opts.Data, 0o700); err != nil {
		return fmt.Errorf("make the data folder: %w", err)
	}
	id := ""
	if c := a.cluster; c != nil {
		name, err := clusterName(c.Client.Config)
		if err != nil {
			return err
		}
		id = installation.DeriveID(name, c.Client.Namespace, c.Install)
	}
	return a.Installation.Open(a.opts.Data, id)
}

// clusterName identifies a cluster, in the same way from everywhere: by the authority of
// the API server, or by its address where no authority is given.
func clusterName(c *rest.Config) (string, error) {
	if len(c.CAData) > 0 || c.CAFile == "" {
		return cmp.Or(string(c.CAData), c.Host), nil
	}
	pem, err := os.ReadFile(c.CAFile)
	if err != nil {
		return "", fmt.Errorf("the authority of the API server: %w", err)
	}
	return string(pem), nil
}
