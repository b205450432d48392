# METADATA
# title: Capacity
# description: How many replicas a load needs.
package scanflow.lib.capacity

# METADATA
# title: Replicas for a load
# description: |
#   The smallest number of replicas, at least one, that serve `load` when each
#   takes `each`. Undefined where `each` is not positive.
replicas(load, each) := max([1, ceil(load / each)]) if each > 0
