"""The commands of daily work: servers, images, networks and what belongs to them, on any cloud.

They speak OpenStack's APIs with what clouds.yaml or the environment says, like `openstack`, which
remains for the rest; these answer in a tenth of a second.  What is imported here is imported at
each call, so that it is little.
"""
