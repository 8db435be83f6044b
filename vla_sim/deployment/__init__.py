"""Where stages run and what that costs in time: device profiles, links, sites, placement and the executor."""
