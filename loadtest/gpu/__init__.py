"""Three networks on one GPU: are the answers the CPU's, how fast are they, and where does the time go?"""
