"""Every tolerance of an exact identity in float64, by kind, with the reason for its size.

Each follows from what is rounded on the way; a test that needs more has found a defect. Bounds of
random quantities do not stand here: they follow from standard errors where they are used.
"""

EPS = 2.0**-52

# Units in the last place. exp: four additions, each half a unit, and the rounding of the argument
# after its reduction. log: a quotient of rounded numbers, a product and two additions.
EXP_ULPS = 2.5
LOG_ULPS = 3.0

# The same positive terms in another order or another rounding: n eps at worst, sqrt(n) eps in
# practice, times the condition (at most about 1e2) of the matrices in these tests.
SUMS = 1e-12

# Sums against a reference of higher precision, where whitening by a factor of condition c loses
# c eps of a squared distance and so c eps |l| of a likelihood.
KERNEL = 1e-12

# Solves with covariances of condition at most about 1e2, twice.
SCORE = 1e-11

# Central differences of fourth order at steps h = 1e-3: h^4 of the fifth derivative, and
# eps |l| / h of rounding.
DIFFERENCES = 1e-7

# The log-likelihood may lose this share of itself to rounding in an iteration.
ASCENT = 8 * EPS

# Closed-form M-steps: a few roundings. Iterated ones stop at the square root of that.
M_STEP = 1e-12
M_STEP_GRADIENT = 1e-6

# Nats. What "converged" promises, and what two runs that both keep a far tighter promise (1e-12)
# may differ by: the rounding of two sums of some thousand nats.
PROMISE = 1e-6
SAME_OPTIMUM = 1e-9
