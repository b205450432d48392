// Command mlflow is MLflow's own description of its REST API and a client that others
// wrote for it, for the tests of the tracker. It is a module of its own, so that what
// it depends on stays out of the module that ships.
//
//	mlflow api          prints the calls that MLflow has, as JSON
//	mlflow decode       reads calls with their answers, a line of JSON each, and holds
//	                    them against MLflow's messages
//	mlflow client URL   logs to a server with the client, and prints what it reads back
package main

import (
	"fmt"
	"os"
)

func main() {
	var err error
	switch {
	case len(os.Args) == 2 && os.Args[1] == "api":
		err = printAPI(os.Stdout)
	case len(os.Args) == 2 && os.Args[1] == "decode":
		err = decode(os.Stdin)
	case len(os.Args) == 3 && os.Args[1] == "client":
		err = session(os.Args[2], os.Stdout)
	default:
		err = fmt.Errorf("usage: mlflow api | decode | client URL")
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
