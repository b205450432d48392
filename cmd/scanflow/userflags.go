package main

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/scanflow-k8s/scanflow/engine/server"
)

// userFlags are the flags of a command that changes something in a running scanflow on
// behalf of a user. It authenticates with the token in the scanflow's data folder, unless
// --token-file names another.
type userFlags struct {
	clientFlags
	data string
}

func (o *userFlags) add(c *cobra.Command) {
	o.clientFlags.add(c)
	c.Flags().StringVar(&o.data, "data", defaultData, "folder of the running scanflow: the token in it is shown, unless --token-file names another")
	o.userToken = func(host string) (token, shown string, err error) {
		file := server.UserTokenFile(o.data)
		if full, err := filepath.Abs(file); err == nil {
			file = full
		}
		if !c.Flags().Changed("data") && !onThisMachine(host) {
			return "", "no token was shown, since that of " + file + " is for this machine: pass --token-file", nil
		}
		token, err = server.TokenFromFile(file)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			return "", "no token was shown, since there is none in " + file + ": pass --data with the folder of the running scanflow, or --token-file", nil
		case errors.Is(err, fs.ErrPermission):
			return "", "", fmt.Errorf("the token of the running scanflow is its user's alone: %w; run this as that user, or pass --token-file", err)
		case err != nil:
			return "", "", fmt.Errorf("the token of the running scanflow: %w", err)
		}
		return token, "the token in " + file + " was shown: pass --data with the folder of the running scanflow, or --token-file", nil
	}
}

// onThisMachine reports whether a host is a loopback address.
func onThisMachine(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}
