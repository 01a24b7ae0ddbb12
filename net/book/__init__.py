"""The book of peers: who is known, what an operator allows them, where they were, how they behaved. Pure but for SQL.

Rules:
- To be in the book allows nothing. Only an operator's word makes a peer a worker or a submitter; neither implies the
  other, and a ban takes both away at once.
- A peer whose receipt had a false step is given no job any more, trusted or not, until it is trusted anew.
- What anybody said of a peer's whereabouts is a hint; an address is proven once the peer's key was proven there.
- At most 1,000 peers are remembered. The one that was longest not seen goes first, but never one about which an
  operator said something: who is trusted, banned, named, noted or may submit stays.
"""
