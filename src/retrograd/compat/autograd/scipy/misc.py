"""Old Autograd's `scipy.misc`, which had `logsumexp`."""

from retrograd.scipy import special as _special

logsumexp = _special.logsumexp
