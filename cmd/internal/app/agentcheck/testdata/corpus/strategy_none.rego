package scanflow.lib.limits

limit := 3
