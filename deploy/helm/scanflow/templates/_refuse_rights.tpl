{{- /* Problems of namespaces, roles and the service account. */ -}}
{{- define "scanflow.problems.rights" -}}
{{- $to := . -}}
{{- $v := .root.Values -}}
{{- $watch := include "scanflow.watchNamespace" .root -}}
{{- if $v.rbac.create -}}
{{- if not (or $watch $v.rbac.clusterRules) -}}
{{- include "scanflow.problem" (list $to "watchNamespace: every namespace is watched, and rbac.clusterRules is empty, so that nothing may be read; give what `scanflow rbac -f agents/ -o values` prints, or name one namespace") -}}
{{- end -}}
{{- else -}}
{{- if $v.rbac.roles -}}
{{- include "scanflow.problem" (list $to "rbac.roles: no role is made with rbac.create: false; leave one of them out") -}}
{{- end -}}
{{- if $v.rbac.clusterRules -}}
{{- include "scanflow.problem" (list $to "rbac.clusterRules: no role is made with rbac.create: false; leave one of them out") -}}
{{- end -}}
{{- end -}}
{{- $seen := list -}}
{{- range $i, $role := default list $v.rbac.roles -}}
{{- if and $watch (ne $role.namespace $watch) -}}
{{- include "scanflow.problem" (list $to (printf "rbac.roles[%d]: is for the namespace %s, and only %s is watched; set watchNamespace: %s, or watchNamespace: \"\" with rbac.clusterRules for several" $i $role.namespace $watch $role.namespace)) -}}
{{- end -}}
{{- if has $role.namespace $seen -}}
{{- include "scanflow.problem" (list $to (printf "rbac.roles[%d]: the namespace %s is there twice; put all of its rules into one role" $i $role.namespace)) -}}
{{- end -}}
{{- $seen = append $seen $role.namespace -}}
{{- end -}}
{{- range $v.agents.list -}}
{{- $in := default (default $.root.Release.Namespace $watch) .namespace -}}
{{- if and $watch (ne $in $watch) -}}
{{- include "scanflow.problem" (list $to (printf "agents.list: %s is in the namespace %s, and only %s is watched; move it, or set watchNamespace" .name $in $watch)) -}}
{{- end -}}
{{- end -}}
{{- if not $v.serviceAccount.create -}}
{{- if not $v.serviceAccount.name -}}
{{- include "scanflow.problem" (list $to "serviceAccount.name: is empty, and none is made with serviceAccount.create: false; name the one to use") -}}
{{- end -}}
{{- if $v.serviceAccount.annotations -}}
{{- include "scanflow.problem" (list $to "serviceAccount.annotations: no service account is made with serviceAccount.create: false; annotate the one that is there") -}}
{{- end -}}
{{- end -}}
{{- end -}}
